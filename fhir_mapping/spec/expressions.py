"""The closed set of expressions of a spec, as frozen models; ``parse_expression`` picks one by its operator."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from contracts.feature_spec import Frozen
from fhir_mapping.spec.conditions import Condition, checked_regex
from fhir_mapping.spec.formats import check_formats, check_zone
from fhir_mapping.spec.normal_forms import NormalForm
from fhir_mapping.terminology.code_system import system_uri

Scalar = str | bool | int | float


class Default(Frozen):
    """``on_error = { default = ... }``: this text stands in for a value that cannot be read."""

    default: Scalar


class Expression(Frozen):
    """What all expressions share: the modifiers."""

    required: bool = False
    on_error: Literal["quarantine", "null"] | Default = "quarantine"
    null_values: tuple[str, ...] = ()
    when: Condition | None = None


class KeyPart(Frozen):
    """One part of a business key: a column, and optionally the group of a pattern to take of it, in a normal form."""

    column: str
    extract: str | None = None
    normalise: NormalForm | None = None

    @field_validator("extract")
    @classmethod
    def _dialect(cls, value: str | None) -> str | None:
        return checked_regex(value)


class ColumnText(Expression):
    """The text of a column. In free text ``mask`` hides numbers of a person and values of identifying columns.

    ``mask_names``: columns that count as identifying here, besides those that the source marks.
    """

    column: str
    extract: str | None = None
    mask: bool = True
    mask_names: tuple[str, ...] = ()
    normalise: NormalForm | None = None

    @field_validator("extract")
    @classmethod
    def _dialect(cls, value: str | None) -> str | None:
        return checked_regex(value)


class Const(Expression):
    """``@name`` stands for the URI of that code system."""

    const: Scalar

    @field_validator("const")
    @classmethod
    def _system(cls, value: Scalar) -> Scalar:
        return system_uri(value) if isinstance(value, str) and value.startswith("@") else value


class Code(Expression):
    """A constant Coding or CodeableConcept."""

    code: str
    system: str
    display: str | None = None
    text: str | None = None

    @field_validator("system")
    @classmethod
    def _system(cls, value: str) -> str:
        return system_uri(value)


class Lookup(Expression):
    """A code map's target for the text of a column."""

    lookup: str
    column: str
    on_missing: Literal["quarantine", "keep_local", "null"] = "quarantine"
    local_system: str | None = None
    text: str | None = None
    split: str | None = None
    split_max: int = Field(default=6, ge=1, le=12)
    extract: str | None = None
    normalise: NormalForm | None = None

    @field_validator("extract")
    @classmethod
    def _dialect(cls, value: str | None) -> str | None:
        return checked_regex(value)

    @field_validator("local_system")
    @classmethod
    def _system(cls, value: str | None) -> str | None:
        return None if value is None else system_uri(value)

    @model_validator(mode="after")
    def _local(self) -> Lookup:
        if (self.on_missing == "keep_local") != (self.local_system is not None):
            raise ValueError("local_system belongs to on_missing = 'keep_local', and that needs it")
        if self.split not in (None, "json") and len(self.split) != 1:
            raise ValueError("split is one character or 'json'")
        return self


class _Dated(Expression):
    formats: tuple[str, ...] = ("any",)

    @field_validator("formats")
    @classmethod
    def _formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return check_formats(value)


class DateText(_Dated):
    date: str


class DateTimeText(_Dated):
    datetime: str
    zone: str | None = None

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        return None if value is None else check_zone(value)


class Offset(_Dated):
    """A time told as a distance: ``{ offset = "minutes_after_admission", base_column = "admitted_at" }``.

    ``base`` is a constant date or time in place of ``base_column``. ``before`` counts back: with ``unit = "years"``,
    an age gives a year of birth.
    """

    offset: str
    unit: Literal["seconds", "minutes", "hours", "days", "years"] = "minutes"
    base: str | None = Field(
        default=None,
        pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?$",
    )
    base_column: str | None = None
    before: bool = False
    zone: str | None = None

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        return None if value is None else check_zone(value)

    @model_validator(mode="after")
    def _one_base(self) -> Offset:
        if (self.base is None) == (self.base_column is None):
            raise ValueError("give base (a date or time) or base_column, one of them")
        return self


class Decimal(Expression):
    decimal: str


class Quantity(Expression):
    """A number with comparator and unit.

    ``convert_to``: a UCUM code, or ``canonical``: the SI unit of the analyte. ``analyte``: its LOINC code, or the
    lookup that gives it. A value in a unit that has no conversion stays as it is.
    """

    quantity: str
    unit: str | None = None
    unit_map: str = "ucum"
    unit_const: str | None = None
    extract: str | None = None
    convert_to: str | None = None
    analyte: str | Lookup | None = None
    on_missing: Literal["quarantine", "keep_local", "null"] = "quarantine"

    @field_validator("extract")
    @classmethod
    def _dialect(cls, value: str | None) -> str | None:
        return checked_regex(value)

    @model_validator(mode="after")
    def _one_unit(self) -> Quantity:
        if self.unit is not None and self.unit_const is not None:
            raise ValueError("give unit (a column) or unit_const, not both")
        if self.convert_to is not None and self.unit is None and self.unit_const is None:
            raise ValueError("convert_to needs the unit that the value is in: unit or unit_const")
        if self.analyte is not None and self.convert_to is None:
            raise ValueError("analyte belongs to convert_to")
        if self.convert_to == "canonical" and self.analyte is None:
            raise ValueError("convert_to = 'canonical' needs analyte: whose unit")
        return self


class Reference(Expression):
    """A reference by business key, made as the target's spec makes its id."""

    reference: str
    key: tuple[KeyPart, ...] = Field(min_length=1)
    identity: str | None = None
    item: str | None = None
    extract: str | None = None

    @field_validator("key", mode="before")
    @classmethod
    def _key(cls, value: Any) -> Any:
        return parse_key(value)

    @field_validator("extract")
    @classmethod
    def _dialect(cls, value: str | None) -> str | None:
        return checked_regex(value)

    @property
    def parts(self) -> tuple[KeyPart, ...]:
        """The key with ``extract`` on each part that has none of its own."""
        return tuple(p.model_copy(update={"extract": p.extract or self.extract}) for p in self.key)


class Concat(Expression):
    concat: tuple[str, ...] = Field(min_length=1)
    separator: str = " "
    mask: bool = True
    mask_names: tuple[str, ...] = ()


class FirstOf(Expression):
    first_of: tuple[Expression, ...] = Field(min_length=1)

    @field_validator("first_of", mode="before")
    @classmethod
    def _parts(cls, value: Any) -> Any:
        return tuple(parse_expression(part) for part in value)


# The first operator that an inline table has decides; lookup and code come before column, which lookup also has.
_OPERATORS: tuple[tuple[str, type[Expression]], ...] = (
    ("first_of", FirstOf),
    ("lookup", Lookup),
    ("offset", Offset),
    ("date", DateText),
    ("datetime", DateTimeText),
    ("decimal", Decimal),
    ("quantity", Quantity),
    ("reference", Reference),
    ("concat", Concat),
    ("code", Code),
    ("const", Const),
    ("column", ColumnText),
)


def parse_key(value: Any) -> Any:
    """A key as written (names and tables) as tables only."""
    return tuple({"column": part} if isinstance(part, str) else part for part in value)


def parse_expression(body: Any) -> Expression:
    """An expression from TOML. Raises ValueError: not a table, no operator, or pydantic's account of a wrong field."""
    if isinstance(body, Expression):
        return body
    if not isinstance(body, dict):
        raise ValueError(f'an expression is a table such as {{ column = "c" }}, not {type(body).__name__}')
    for operator, model in _OPERATORS:
        if operator in body:
            try:
                return model.model_validate(body)
            except ValidationError as error:
                first = error.errors()[0]
                raise ValueError(f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from error
    raise ValueError(f"no operator; expected one of {', '.join(name for name, _ in _OPERATORS)}")
