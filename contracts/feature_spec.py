"""A task's features as data: which views, which columns, how each becomes an input. One spec, two evaluators.

``features`` evaluates a spec as DataFrame columns over silver (training); ``registry`` evaluates it in plain Python
over FHIR resources (scoring); a property test holds them equal.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Frozen(BaseModel):
    """Base of all settings and specs: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class UnitView(Frozen):
    """The view whose rows are the units of the task (visits, patients).

    Attributes:
        view: ViewDefinition file (SQL on FHIR v2), relative to the task's folder.
        key: column that names the unit; unique.
        patient: column that names the patient (privacy unit and the side of a split).
    """

    view: str
    key: str
    patient: str


class JoinView(Frozen):
    """A view joined one to one onto the unit: column ``right`` of this view equals column ``left`` of the unit."""

    view: str
    left: str
    right: str


class PivotView(Frozen):
    """A long view (one row a code) folded onto the unit.

    Inputs name a code of it with ``pivot``. Several rows of one unit and code: the one with the greatest
    ``order`` value, then the greatest value, counts.
    """

    name: str
    view: str
    left: str
    right: str
    code: str
    value: str
    order: str | None = None


class Input(Frozen):
    """One model input. Exactly one of ``column``, ``pivot`` or ``years_between`` says where it comes from.

    Attributes:
        kind: ``number`` (float, null when absent or outside ``plausible``), ``category`` (one of ``levels``, else
            null) or ``text`` (string, NFKC-normalised, white space collapsed; empty and ``无`` are null).
        column: a column of the unit view or of a joined view.
        pivot: ``[pivot name, code]``.
        years_between: ``[earlier column, later column]``, whole years between two dates (text, FHIR precision).
        plausible: closed range; a number outside it is null.
        levels: the known categories, in order.
        unit: of a number, in UCUM; for readers, changes nothing.
    """

    name: str
    kind: Literal["number", "category", "text"]
    column: str | None = None
    pivot: tuple[str, str] | None = None
    years_between: tuple[str, str] | None = None
    plausible: tuple[float, float] | None = None
    levels: tuple[str, ...] = ()
    unit: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Input:
        if sum(o is not None for o in (self.column, self.pivot, self.years_between)) != 1:
            raise ValueError(f"input {self.name!r}: give exactly one of column, pivot, years_between")
        if (self.kind == "category") != bool(self.levels):
            raise ValueError(f"input {self.name!r}: levels belong to a category, and a category needs them")
        return self


class Label(Frozen):
    """What is predicted.

    Attributes:
        kind: ``codes``: the unit carries one or more shared codes of ``column`` (a text column, several joined by
            ``|``); ``condition``: 1 when ``view`` has a row for the unit whose ``code`` starts with one of
            ``prefixes`` and whose ``status`` column (when given) is ``confirmed``, else 0.
        classes: the codes that may be predicted, in order; others are not part of the label, and a unit that has no
            other has no label. For ``condition``: ``("0", "1")``.
    """

    kind: Literal["codes", "condition"]
    column: str | None = None
    view: str | None = None
    left: str | None = None
    right: str | None = None
    code: str | None = None
    status: str | None = None
    prefixes: tuple[str, ...] = ()
    classes: tuple[str, ...]


class FeatureSpec(Frozen):
    """All of it. Column names of all views together are unique."""

    unit: UnitView
    join: tuple[JoinView, ...] = ()
    pivot: tuple[PivotView, ...] = ()
    input: tuple[Input, ...] = Field(min_length=1)
    label: Label
