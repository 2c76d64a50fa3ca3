"""HL7 v2 feeds inside a region, by the templates that come along: cancels, corrections, late and repeated messages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import small_site
from small_site import deliver, new_zone, resources, rules, snapshot

from contracts.region import Region, load_region
from contracts.zone import SiteZone
from fhir_mapping.mapping import compile_site
from fhir_mapping.spec.expressions import FirstOf
from quality.reconciliation import reconcile
from synthetic.hl7v2_cn import VENDORS, Feed, make_feed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MSH = "MSH|^~\\&|HIS|H|CL|H|{sent}||{kind}|{number}|P|2.4\r"
SOURCES = {
    "adt": 'template = "hl7v2/adt"\nsystem = "his"\nentity = "adt"\nfiles = ["adt*.hl7"]\n',
    "result": 'template = "hl7v2/oru_r01"\nsystem = "lis"\nentity = "result"\nfiles = ["oru*.hl7"]\nencoding = "gbk"\n',
}


def write_region(folder: Path, **specs: str) -> Region:
    site = folder / "sites" / "north"
    for part in ("sources", "specs", "maps"):
        (site / part).mkdir(parents=True, exist_ok=True)
    (folder / "region.toml").write_text('name = "small"\ntitle = "Small"\n', encoding="utf-8")
    (site / "site.toml").write_text('name = "north"\ntitle = "North"\n', encoding="utf-8")
    for name, text in SOURCES.items():
        (site / "sources" / f"{name}.toml").write_text(text, encoding="utf-8")
    for name, text in specs.items():
        (site / "specs" / f"{name}.toml").write_text(text, encoding="utf-8")
    return load_region(folder)


def adt(event: str, at: str, *, visit: str = "V1", patient: str = "P1", left: str = "", more: str = "") -> str:
    """An ADT message of an event recorded at a time of 1 March 2024."""
    pv1 = ["PV1", "1", "I", "内科^3^12", *[""] * 15, visit, *[""] * 24, "20240301080000", left]
    head = MSH.format(sent=f"20240301{at}", kind=f"ADT^{event}", number=f"{event}{at}")
    return f"{head}EVN|{event}|20240301{at}\rPID|1||{patient}^^^H^MR||张三||19900307|F\r{more}{'|'.join(pv1)}\r"


def oru(at: str, value: str, status: str = "F", *, note: str = "", code: str = "GLU^血糖^L") -> str:
    """A result of one panel with two items, reported at a time of 1 March 2024."""
    head = MSH.format(sent=f"20240301{at}", kind="ORU^R01", number=f"R{at}")
    obr = "|".join(["OBR", "1", "O1", "F1", "BIO^生化^L", "", "", "20240301070000", *[""] * 14, f"20240301{at}"])
    return (
        f"{head}PID|1||P1^^^H^MR||张三||19900307|F\rPV1|1|I|{'|' * 16}V1\rORC|RE|O1|F1\r{obr}||CH|{status}\r"
        f"OBX|1|NM|{code}||{value}|mmol/L|3.9-6.1|H|||{status}\r{note}"
        f"OBX|2|ST|NIT^亚硝酸盐^L||阴性||阴性||||F\r"
    )


DELIVERIES = {
    "2024-03-01": {
        "adt_1.hl7": adt("A01", "080000", more="DG1|1||J18.9^肺炎^I10\r") + adt("A03", "120000", left="20240301120000"),
        "oru_1.hl7": oru("090000", "7.8", "P") + oru("110000", "5.60", "C", note="NTE|1||复查\r"),
    },
    # The correction is here before what it corrects, the cancel before the admit it cancels.
    "2024-03-02": {
        "adt_0.hl7": adt("A01", "090000", visit="V9", patient="P0"),
        "adt_1.hl7": adt("A40", "160000", more="MRG|P0^^^H^MR\r"),
        "adt_2.hl7": adt("A13", "130000") + adt("A11", "140000", visit="V2") + adt("A01", "133000", visit="V2"),
        "oru_2.hl7": oru("100000", "9.9", "F"),
        "adt_3.hl7": "rubbish\r" + adt("A99", "150000", visit="V3"),
    },
}


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    return write_region(tmp_path_factory.mktemp("region"))


def _delivered(folder: Path) -> SiteZone:
    zone = new_zone(folder)
    for day, files in DELIVERIES.items():
        for file, text in files.items():
            deliver(zone, day, file, text.encode("gb18030"))
    return zone


def _by_status(found: list[dict[str, Any]]) -> list[str]:
    return sorted(resource["status"] for resource in found)


def test_the_latest_word_of_the_messages_own_times_stands(spark: SparkSession, region: Region, tmp_path: Path) -> None:
    zone = _delivered(tmp_path)
    small_site.run(spark, zone, region)
    visits = resources(zone, "Encounter")
    assert _by_status(visits) == ["cancelled", "in-progress", "in-progress"]
    assert not any("end" in visit["period"] for visit in visits)
    merged, standing = sorted(resources(zone, "Patient"), key=lambda patient: patient.get("active", True))
    assert (merged["active"], "gender" in merged, standing["gender"]) == (False, False, "female")
    assert {visit["subject"]["reference"] for visit in visits} == {f"Patient/{standing['id']}"}
    glucose = next(o for o in resources(zone, "Observation") if o["code"]["text"] == "血糖")
    assert (glucose["status"], float(glucose["valueQuantity"]["value"])) == ("corrected", 5.6)
    assert glucose["code"]["coding"][0] == {"code": "GLU", "display": "血糖"}
    assert glucose["note"] == [{"text": "复查"}]
    assert len(resources(zone, "Observation")) == 2
    assert _by_status(resources(zone, "DiagnosticReport")) == ["corrected"]
    assert [c["code"]["coding"][0]["system"] for c in resources(zone, "Condition")] == [
        "http://hl7.org/fhir/sid/icd-10"
    ]
    assert rules(zone) == {
        ("adt_3.hl7", 0): ["missing_msh"],
        ("adt_3.hl7", 1): ["unmapped_code:hl7v2_encounter_status"],
    }
    reconcile(zone).raise_if_unexplained()


@pytest.fixture(scope="module")
def feeds() -> list[Feed]:
    return [make_feed(11, vendor, patients=6) for vendor in VENDORS]


def _deliver_feeds(zone: SiteZone, feeds: list[Feed]) -> None:
    """Each vendor's messages in two days' files, as they arrived."""
    for feed in feeds:
        for kind, messages in (("adt", feed.adt), ("oru", feed.oru)):
            half = len(messages) // 2
            deliver(zone, "2024-03-01", f"{kind}_{feed.vendor.name}.hl7", feed.data(messages[:half]))
            deliver(zone, "2024-03-02", f"{kind}_{feed.vendor.name}.hl7", feed.data(messages[half:]))


def test_what_chinese_vendors_send_says_the_same_in_any_order_of_days(
    spark: SparkSession, region: Region, feeds: list[Feed], tmp_path: Path
) -> None:
    bulk, steps = new_zone(tmp_path / "bulk"), new_zone(tmp_path / "steps")
    for zone in (bulk, steps):
        _deliver_feeds(zone, feeds)
    small_site.run(spark, bulk, region)
    for day in ("2024-03-02", "2024-03-01"):
        small_site.run(spark, steps, region, [day])
    assert snapshot(bulk) == snapshot(steps)
    visits = Counter(status for feed in feeds for status in feed.truth.visits.values())
    assert Counter(visit["status"] for visit in resources(bulk, "Encounter")) == visits
    assert len(resources(bulk, "Patient")) == sum(len(feed.truth.patients) for feed in feeds)
    said = Counter((code, *result) for feed in feeds for (_, code), result in feed.truth.results.items())
    assert Counter(map(_result, resources(bulk, "Observation"))) == said
    assert rules(bulk) == {}
    reconcile(bulk).raise_if_unexplained()


def _result(observation: dict[str, Any]) -> tuple[str, str, str]:
    """Item, status letter and value as the sender wrote them."""
    letter = {"final": "F", "preliminary": "P", "corrected": "C", "entered-in-error": "D"}[observation["status"]]
    quantity = observation.get("valueQuantity")
    value = observation.get("valueString") if quantity is None else _written(quantity)
    return observation["code"]["coding"][0]["code"], letter, str(value)


def _written(quantity: dict[str, Any]) -> str:
    number = float(quantity["value"])
    return f"{quantity['comparator']}{number:g}" if "comparator" in quantity else f"{number:.2f}"


def test_a_site_overrides_single_lines_of_a_shipped_spec(spark: SparkSession, tmp_path: Path) -> None:
    own = """
extends = "hl7v2/oru_r01/observation"
source = "lis__result"

[elements]
"code.coding[0].system" = { first_of = [{ column = "item_system" }, { const = "urn:north:lab" }] }
"referenceRange[0].text" = false
"""
    region = write_region(tmp_path, glucose=own)
    mapping = compile_site(region, region.site("north"), small_site.KEY)["lis__result"]
    emits = {emit.name: emit for emit in mapping.emits}
    assert set(emits) == {"glucose", "patient", "report"}
    assert isinstance(emits["glucose"].elements["code.coding[0].system"], FirstOf)
    assert "referenceRange[0].text" not in emits["glucose"].elements
    assert emits["glucose"].identity == "lis__result.observation"
