"""Editions of Chinese lists of diagnoses and procedures, by the words in which a sender names them."""

from __future__ import annotations

import re

from fhir_mapping.terminology.code_system import code_systems

_DIAGNOSES = (
    ("国家临床版2", "icd10_cn_clinical_2"),
    ("国临版2", "icd10_cn_clinical_2"),
    ("国家临床版1", "icd10_cn_clinical_1"),
    ("医保版2", "icd10_cn_insurance_2"),
    ("北京临床版", "icd10_cn_beijing_6"),
)
_PROCEDURES = (("国家临床版3", "icd9cm3_cn_clinical_3"), ("医保版2", "icd9cm3_cn_insurance_2"))
_MARKS = re.compile(r"[\s（(）)vV]")


def diagnosis_edition(said: str) -> str:
    """The URI of the edition of ICD-10 that the words name (``ICD-10 国家临床版（V2.0）``); empty for none."""
    return _edition(said, _DIAGNOSES)


def procedure_edition(said: str) -> str:
    """The same of ICD-9-CM-3."""
    return _edition(said, _PROCEDURES)


def _edition(said: str, editions: tuple[tuple[str, str], ...]) -> str:
    if said.isascii():
        return ""
    bare = _MARKS.sub("", said)
    return next((code_systems()[name].uri for words, name in editions if words in bare), "")
