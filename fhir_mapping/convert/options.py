"""What one conversion was asked for, read once from the command line and passed down to every worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Format = Literal["hl7v2", "cda", "fhir", "csv", "tsv", "xlsx"]
Version = Literal["R4", "R5"]

FORMATS: tuple[Format, ...] = ("hl7v2", "cda", "fhir", "csv", "tsv", "xlsx")
TABULAR: tuple[Format, ...] = ("csv", "tsv", "xlsx")
DEFAULT_ZONE = "Asia/Shanghai"


@dataclass(frozen=True)
class Options:
    """Settings of a conversion.

    Attributes:
        format: of every input.
        fhir: version of every resource written.
        spec: a site's folder: specs of tables, overrides of the HL7 v2 tables, code maps.
        zone: IANA name of the zone of local times that carry no offset; None = they stay without a time.
        key: of pseudonyms; None = names and identifiers are kept.
        profile: ``cn`` = resources also meet the HL7 China profiles where what they demand is there.
    """

    format: Format
    fhir: Version = "R4"
    spec: Path | None = None
    zone: str | None = DEFAULT_ZONE
    key: bytes | None = None
    profile: Literal["cn"] | None = None
