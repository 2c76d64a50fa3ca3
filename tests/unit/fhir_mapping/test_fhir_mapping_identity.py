from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import functions as F

from contracts.errors import CredentialError
from contracts.zone import SiteZone
from fhir_mapping.identity import id_card
from fhir_mapping.identity.ids import resource_id, resource_id_column
from fhir_mapping.identity.key import load_key

KEY = bytes(range(32))
NUMBERS = {
    "11010519491231002X": True,  # the example of GB 11643-1999
    "11010519491231002x": True,
    "110105194912310021": False,
    "110105194902310028": False,
    "110105491231002": True,
    "110105491331002": False,
    "01010519491231002X": False,
    "abc": False,
}


def test_id_card_numbers_are_checked_alike_in_python_and_as_columns(spark) -> None:
    df = spark.createDataFrame([(number,) for number in NUMBERS], "number string")
    columns = {
        r["number"]: r["v"] for r in df.select("number", id_card.is_valid_column(F.col("number")).alias("v")).collect()
    }
    assert columns == NUMBERS == {number: id_card.is_valid(number) for number in NUMBERS}


def test_ids_are_the_same_in_python_and_as_columns(spark) -> None:
    rows = [("a", "2"), ("a|b", "2"), ("x\\y", "|"), ("中文|", "\\")]
    made = resource_id_column(KEY, "north", "Patient", "Patient", [F.col("a"), F.col("b")], "item")
    found = spark.createDataFrame(rows, "a string, b string").select("a", "b", made.alias("id")).collect()
    wanted = {row: resource_id(KEY, "north", "Patient", "Patient", [*row, "item"]) for row in rows}
    assert {(r["a"], r["b"]): r["id"] for r in found} == wanted
    assert len(set(wanted.values())) == len(rows)


def test_ids_differ_by_site_type_identity_and_key() -> None:
    base = (KEY, "north", "Patient", "Patient", ["1"])
    others = [
        (bytes(32), *base[1:]),
        (KEY, "south", *base[2:]),
        (KEY, "north", "Encounter", "Patient", ["1"]),
        (KEY, "north", "Patient", "old", ["1"]),
        (KEY, "north", "Patient", "Patient", ["1", ""]),
    ]
    assert len({resource_id(*arguments) for arguments in [base, *others]}) == len(others) + 1


def test_a_key_that_is_absent_short_or_open_is_refused(tmp_path: Path) -> None:
    zone = SiteZone(tmp_path, "north")
    with pytest.raises(CredentialError, match="no pseudonym key"):
        load_key(zone)
    path = zone.secrets / "pseudonym.key"
    path.parent.mkdir()
    path.write_bytes(bytes(31))
    path.chmod(0o600)
    with pytest.raises(CredentialError, match="31 bytes"):
        load_key(zone)
    path.write_bytes(bytes(32))
    path.chmod(0o640)
    with pytest.raises(CredentialError, match="read by others"):
        load_key(zone)
    path.chmod(0o600)
    assert load_key(zone) == bytes(32)
