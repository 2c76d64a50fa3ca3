"""Settings of a process: read once at the entry point, frozen, passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from contracts.errors import UsageError
from contracts.zone import WorkArea

EngineKind = Literal["sail", "spark"]
ENGINES: tuple[EngineKind, ...] = get_args(EngineKind)


@dataclass(frozen=True)
class Settings:
    """What a code location, a job or a command works on.

    Attributes:
        region: the region's folder.
        work: the work directory that holds every party's zone (contracts.zone).
        engine: ``sail`` (embedded, no Java) or ``spark``.
        data: folder of public data sets; needed only by regions whose sources have a ``delivery``.
    """

    region: Path
    work: Path
    engine: EngineKind = "sail"
    data: Path | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UsageError(f"engine {self.engine!r} is unknown; expected one of {', '.join(ENGINES)}")

    @property
    def area(self) -> WorkArea:
        return WorkArea(self.work)

    def environment(self) -> dict[str, str]:
        """The settings as environment variables, for a child process."""
        values = {
            "CLOISTER_REGION": str(self.region),
            "CLOISTER_WORK": str(self.work),
            "CLOISTER_ENGINE": self.engine,
        }
        if self.data is not None:
            values["CLOISTER_DATA"] = str(self.data)
        return values


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings of a Dagster code location. Raises UsageError naming the variable that is missing."""
    for name in ("CLOISTER_REGION", "CLOISTER_WORK"):
        if name not in environment:
            raise UsageError(f"{name} is not set: start Dagster with `cloister ui REGION --work DIR`")
    data = environment.get("CLOISTER_DATA")
    return Settings(
        region=Path(environment["CLOISTER_REGION"]).resolve(),
        work=Path(environment["CLOISTER_WORK"]).resolve(),
        engine=cast(EngineKind, environment.get("CLOISTER_ENGINE", "sail")),
        data=Path(data) if data else None,
    )
