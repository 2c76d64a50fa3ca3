"""Reading the official tables: their paths and conditions as ours, and the reason when a line cannot be used.

The tables were written by many hands: paths have typing errors, conditions are partly prose. A line is taken only when
its path exists in R4 and its condition can be computed.
"""

from __future__ import annotations

import re

from contracts.errors import SpecError
from fhir_mapping.hl7v2.conditions import compile_condition
from fhir_mapping.hl7v2.paths import compile_path

_SPELLING = (
    ("PractitionerRole.Practitioner(", "PractitionerRole.practitioner("),
    ("practioner(", "practitioner("),
    ("organziation.(", "organization("),
    ("organization.(", "organization("),
    ("payer[", "payor["),
    ("valuedateTime", "valueDateTime"),
    ("occurrenceTIming", "occurrenceTiming"),
    ("coding.value", "coding.code"),
    ("boundPeriod", "boundsPeriod"),
    ("([1]", "[1]("),
    ("[each]", "[each]"),
)
_WORDS = (
    (r"^IF\s+", ""),
    (r"\bAND IF\b", "AND"),
    (r"\bIF\b", ""),
    (r"\s+NOT VAlUED", " NOT VALUED"),
    (r"\bIS NOT VALUED\b|\bIS EMPTY\b|\bNOT VALUED\b", "not valued"),
    (r"\bIS VALUED\b|\bVALUED?\b(?! NOT)", "valued"),
    (r"\bLST\.COUNT EQUALS\b|\bCOUNT=", "count = "),
    (r"\bLST\.COUNT GREATER THAN\b|\bCOUNT>", "count > "),
    (r"\bLENGTH GREATER THAN\b", "length > "),
    (r"\bNOT EQUALS\b|\bIS NOT\b", "!="),
    (r"\bNOT IN\b", "not in"),
    (r"\bIS IN\b|\bIN\b", "in"),
    (r"\bEQUALS\b|\bIS\b|(?<=\d)=", " = "),
    (r"\bAND\b", "and"),
    (r"\bOR\b", "or"),
)


def translate_condition(text: str) -> str | None:
    """An official condition in our language; None when it cannot be computed."""
    if "ERROR" in text:
        return None
    translated = text.strip().rstrip(".")
    for pattern, replacement in _WORDS:
        translated = re.sub(pattern, replacement, translated)
    translated = re.sub(r"\(([^()]*)\)", lambda match: _values(match[1]), translated)
    translated = re.sub(r"[()\"']", "", translated)
    # "PRT-5 or PRT-6 valued" and "TQ1-7 and TQ1-8 not valued" share one verb.
    translated = re.sub(r"(\S+-\S+) (and|or) (\S+-\S+) (not valued|valued)", r"\1 \4 \2 \3 \4", translated)
    translated = re.sub(r"\b(?:CWE|CX|XAD|XON|XPN|EIP|MSG)\.(\d+)", r".\1", translated)
    translated = re.sub(r"\b([A-Z][A-Z0-9]{2})\.(\d+)", r"\1-\2", translated)
    translated = " ".join(translated.split())
    try:
        compile_condition(translated)
    except SpecError:
        return None
    return translated


def _values(text: str) -> str:
    quoted = re.findall(r'"([^"]*)"', text)
    return "|".join(quoted) if quoted and re.sub(r'"[^"]*"|[\s,X"]', "", text) == "" else text


def translate_target(text: str, resource: str) -> str | None:
    """An official path in our notation (``asserter(Practitioner)`` is ``asserter>Practitioner``); None: not in R4."""
    path = text.strip()
    for wrong, right in _SPELLING:
        path = path.replace(wrong, right)
    if not path or "??" in path or "extension?" in path or "=" in path or "|" in path:
        return None
    path = re.sub(r"\((\w+)(\[\d+\])?", r">\1", path).replace(")", "").replace(" ", "")
    path = re.sub(r">(\w+)\.reference$", r">\1", path)
    if path != "$this":
        try:
            compile_path(path, resource)
        except SpecError:
            return None
    return path
