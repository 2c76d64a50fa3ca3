"""Normal forms of codes and numbers that Chinese records write in several ways, as native columns and in plain Python.

``icd10_cn``: ``h81.400X003`` and ``H81400x003`` give ``H81.400x003``: the letter of the chapter large, the x of an
extension small, the point in its place. ``department``: ``3.4`` and ``03.4`` give ``03.04``. ``id_card``: the 15 digits
of an old card give the 18 of its new one, so that both are one person. ``icd10_cm``, ``icd9_cm`` and
``icd9_cm_procedure`` put the point into American codes written without one: ``I5023`` gives ``I50.23``, ``E8788``
``E878.8``, ``3893`` ``38.93``. Other text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

from fhir_mapping.identity.id_card import is_short, to_long, to_long_column

NormalForm = Literal["icd10_cn", "department", "id_card", "icd10_cm", "icd9_cm", "icd9_cm_procedure"]

_CODE = "^[A-Za-z][0-9]{2}([0-9xX.].*)?\\z"
_NO_POINT = "^[A-Za-z][0-9]{2}[0-9xX][0-9A-Za-z]*[+*]?\\z"
_DEPARTMENT = "^([0-9]{1,2})[.]([0-9]{1,2})\\z"
_POINTLESS = {
    "icd10_cm": "^([A-Z][0-9][0-9A-Z])([0-9A-Z]{1,4})\\z",
    "icd9_cm": "^(E[0-9]{3}|[V0-9][0-9]{2})([0-9]{1,2})\\z",
    "icd9_cm_procedure": "^([0-9]{2})([0-9]{1,2})\\z",
}
_DEPARTMENT_ALONE = "^[0-9]\\z"


def normal_column(form: NormalForm, text: Column) -> Column:
    """Prepared text in its normal form; null for null."""
    if form == "icd10_cn":
        plain = F.regexp_replace(text, "[ ]", "")
        cased = F.concat(F.upper(F.substring(plain, 1, 1)), F.lower(F.substring(plain, 2, 100)))
        pointed = F.concat(F.substring(cased, 1, 3), F.lit("."), F.substring(cased, 4, 100))
        return F.when(plain.rlike(_NO_POINT), pointed).when(plain.rlike(_CODE), cased).otherwise(text)
    if form == "department":
        first, second = (F.lpad(F.regexp_extract(text, _DEPARTMENT, n), 2, "0") for n in (1, 2))
        joined = F.concat(first, F.lit("."), second)
        alone = F.concat(F.lit("0"), text)
        return F.when(text.rlike(_DEPARTMENT), joined).when(text.rlike(_DEPARTMENT_ALONE), alone).otherwise(text)
    if form in _POINTLESS:
        return F.regexp_replace(text, _POINTLESS[form], "$1.$2")
    return to_long_column(text)


def normal_text(form: NormalForm, text: str) -> str:
    """``normal_column`` for one text."""
    if form in _POINTLESS:
        return re.sub(_POINTLESS[form].replace("\\z", "\\Z"), r"\1.\2", text)
    return _PLAIN[form](text)


def _icd10(text: str) -> str:
    plain = text.replace(" ", "")
    cased = plain[:1].upper() + plain[1:].lower()
    if re.fullmatch(_NO_POINT[1:-2], plain):
        return f"{cased[:3]}.{cased[3:]}"
    return cased if re.fullmatch(_CODE[1:-2], plain) else text


def _department(text: str) -> str:
    found = re.fullmatch(_DEPARTMENT[1:-2], text)
    if found:
        return f"{found[1].zfill(2)}.{found[2].zfill(2)}"
    return text.zfill(2) if re.fullmatch("[0-9]", text) else text


def _id_card(text: str) -> str:
    return to_long(text) if is_short(text) else text.upper() if len(text) == 18 else text


_PLAIN: dict[str, Callable[[str], str]] = {"icd10_cn": _icd10, "department": _department, "id_card": _id_card}
