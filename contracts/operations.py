"""The second closed list: what a hospital tells the commission about its deliveries (secure sum, rule 11).

    site -> commission   Delivery, Held, Coverage, Gap, Suspicion        nothing else

They speak of files, days and rules, never of a patient, and their figures are too coarse to hide one in: a number of
records is 0, ``under_ten``, or a multiple of ten; a share is a whole percent and is left out where it, or what is
missing to the whole, stands for fewer than ten records. No message has a field for free text. The site signs those of
one report together, as a ``Bulletin``.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.feature_spec import Frozen
from contracts.messages import Count, SiteName
from contracts.wire import FrameError, parse_canonical

STEP = 10
"""Figures of records are rounded to this; fewer are not told."""

UNDER_TEN = "under_ten"
OWN_SYSTEMS = "urn:cloister:own-systems"
"""Stands for all code systems that only the site knows, or that fewer than ten codings have."""
Figure = Annotated[int, Field(ge=0, multiple_of=STEP)] | Literal["under_ten"]
Percent = Annotated[int, Field(ge=0, le=100)]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Instant = Annotated[str, Field(pattern=r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9][.][0-9]{6}Z$")]
SourceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*__[a-z][a-z0-9_]*$", max_length=128)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(:[A-Za-z0-9_.\[\]]+)?$", max_length=128)]
ElementPath = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*([.][A-Za-z]+)+$", max_length=128)]
System = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*:[!-~]+$", max_length=200)]


class SuspicionCode(StrEnum):
    """What looks wrong with a delivery. The only words a suspicion may carry."""

    SAME_FILE_AGAIN = "same_file_again"
    CONSTANT_COLUMN = "constant_column"
    EQUAL_BIRTH_DATES = "equal_birth_dates"
    ONE_SEX = "one_sex"
    FUTURE_DATES = "future_dates"
    VOLUME_LOW = "volume_low"
    VOLUME_HIGH = "volume_high"


class Delivery(Frozen):
    """What arrived of one source on one day, and what became of its records.

    Attributes:
        source: None: files that no source claims.
        files, refused_files, repeated_files: files; the last were delivered before, byte for byte.
        mapped_percent, quarantined_percent: of the records that arrived.
    """

    kind: Literal["delivery"] = "delivery"
    site: SiteName
    source: SourceName | None
    day: Day
    files: Count
    refused_files: Count
    repeated_files: Count
    megabytes: Count
    records: Figure
    mapped: Figure
    quarantined: Figure
    skipped: Figure
    superseded: Figure
    erased: Figure
    mapped_percent: Percent | None
    quarantined_percent: Percent | None


class Held(Frozen):
    """Records that one rule holds back in a site's quarantine."""

    kind: Literal["held"] = "held"
    site: SiteName
    source: SourceName | None
    rule: Name
    records: Figure


class Coverage(Frozen):
    """How many codings of an element are of a code system.

    Attributes:
        element: ``Observation.code``.
        system: a shared one by its URI, ``OWN_SYSTEMS`` for all others; None: values with words and no code.
        percent: of all codings of the element.
        is_shared: a system that others know too; False: the site's own, or none.
    """

    kind: Literal["coverage"] = "coverage"
    site: SiteName
    element: ElementPath
    system: System | None
    codings: Figure
    percent: Percent | None
    is_shared: bool


class Gap(Frozen):
    """Deliveries that the site's schedule promises and that did not come.

    Attributes:
        days: days (weekly: Mondays, monthly: first days of the month) without a file.
    """

    kind: Literal["gap"] = "gap"
    site: SiteName
    source: SourceName
    schedule: Literal["daily", "weekdays", "weekly", "monthly"]
    days: tuple[Day, ...]


class Suspicion(Frozen):
    """A delivery that looks wrong.

    Attributes:
        column: the column meant, by its name in the source's settings.
        percent: of the records; for a volume, of the median of the earlier days (100 and more: at least twice).
    """

    kind: Literal["suspicion"] = "suspicion"
    site: SiteName
    source: SourceName | None
    day: Day
    code: SuspicionCode
    column: Name | None = None
    percent: Annotated[int, Field(ge=0)] | None = None


OperationsMessage = Delivery | Held | Coverage | Gap | Suspicion

OPERATIONS_MESSAGES: dict[str, type[Delivery | Held | Coverage | Gap | Suspicion]] = {
    "delivery": Delivery,
    "held": Held,
    "coverage": Coverage,
    "gap": Gap,
    "suspicion": Suspicion,
}
"""All that a site may say about its deliveries, by kind."""


class Bulletin(Frozen):
    """The messages of one report of a site, which it signs together.

    Attributes:
        at: when it was made, UTC; a later one replaces it.
        messages: JSON of messages on the closed list, which their reader parses one by one.
    """

    region: str
    site: SiteName
    at: Instant
    messages: tuple[dict[str, Any], ...]


def figure(records: int) -> int | Literal["under_ten"]:
    """A number of records as it may be told.

    >>> [figure(number) for number in (0, 1, 9, 10, 14, 16, 1234)]
    [0, 'under_ten', 'under_ten', 10, 10, 20, 1230]
    """
    if 0 < records < STEP:
        return "under_ten"
    return STEP * ((records + STEP // 2) // STEP)


def percent(part: int, whole: int) -> int | None:
    """A share as it may be told, or None.

    >>> [percent(*pair) for pair in ((0, 50), (5, 50), (45, 50), (25, 50), (0, 5), (50, 50))]
    [0, None, None, 50, None, 100]
    """
    if whole < STEP or 0 < part < STEP or 0 < whole - part < STEP:
        return None
    return round(100 * part / whole)


def parse_operations_message(data: bytes) -> OperationsMessage:
    """A message as it was sent (canonical JSON). Raises FrameError when it is not on the closed list."""
    try:
        model = OPERATIONS_MESSAGES[json.loads(data)["kind"]]
    except (ValueError, KeyError, TypeError) as error:
        raise FrameError("not one of the messages a site may send about its deliveries") from error
    return parse_canonical(data, model)
