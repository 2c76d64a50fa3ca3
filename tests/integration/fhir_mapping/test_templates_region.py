"""A hospital that only names templates: some of them in one run, from messages and documents to checked silver.

``make test-templates`` runs the examples of all templates, and all of them in one region.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import small_site
from small_site import deliver, new_zone, resources, rules

from contracts.region import TEMPLATES, Region, load_region
from fhir_mapping.spec.examples import read_examples
from fhir_mapping.spec.examples_run import run_examples
from fhir_mapping.spec.lint import lint_folder
from quality.reconciliation import reconcile
from synthetic.cda_cn import write_document

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = "2024-06-01"
NAMES = sorted(path.parent.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.glob("*/*/source.toml"))
SOME = ["cda/laboratory_report", "hl7v2/immunization", "hl7v2/scheduling"]
"""Of each kind, and small: a source costs seconds whatever it holds."""
RUN = NAMES if os.environ.get("CLOISTER_TEMPLATES") == "all" else SOME
DOCUMENTS = {
    "cda/outpatient": "C0002",
    "cda/prescription": "C0004",
    "cda/examination": "C0006",
    "cda/laboratory_report": "C0007",
    "cda/front_page": "C0032",
    "cda/discharge": "C0053",
}


GIVEN = {
    "cda/laboratory_report": ("Patient", "Encounter", "Condition", "Observation", "Specimen", "DiagnosticReport"),
    "cda/prescription": ("MedicationRequest",),
    "cda/ccd": ("MedicationStatement", "Procedure", "AllergyIntolerance", "Immunization"),
    "hl7v2/adt": ("Coverage", "Organization", "RelatedPerson", "Procedure", "AllergyIntolerance"),
    "hl7v2/documents": ("DocumentReference",),
    "hl7v2/immunization": ("Immunization", "Organization", "Patient"),
    "hl7v2/orders": ("ServiceRequest", "Specimen"),
    "hl7v2/pharmacy": ("MedicationRequest",),
    "hl7v2/scheduling": ("Appointment",),
}


def _write_region(folder: Path, names: list[str]) -> Region:
    site = folder / "sites" / "north"
    (site / "sources").mkdir(parents=True)
    (folder / "region.toml").write_text('name = "small"\ntitle = "Small"\n', encoding="utf-8")
    (site / "site.toml").write_text('name = "north"\ntitle = "North"\n', encoding="utf-8")
    for name in names:
        kind, entity = name.split("/")
        head = f'template = "{name}"\nsystem = "{kind}"\nentity = "{entity}"\nfiles = ["{entity}-*"]\n'
        encoding = 'encoding = "gb18030"\n' if kind == "hl7v2" else ""
        (site / "sources" / f"{kind}_{entity}.toml").write_text(head + encoding, encoding="utf-8")
    return load_region(folder)


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    return _write_region(tmp_path_factory.mktemp("region"), RUN)


def _texts(name: str) -> Iterator[str]:
    """What the examples of a template's specs read, each once."""
    files = sorted(path for path in (TEMPLATES / name).glob("*.toml") if path.name != "source.toml")
    yield from dict.fromkeys(example.text for path in files for example in read_examples(path) if example.text)


def test_lint_has_nothing_to_say_of_a_site_that_only_names_templates(tmp_path: Path) -> None:
    assert lint_folder(_write_region(tmp_path, NAMES).folder) == []


def test_every_spec_of_a_template_has_an_example() -> None:
    without = {
        str(path) for path in TEMPLATES.glob("*/*/*.toml") if path.name != "source.toml" and not read_examples(path)
    }
    assert {Path(path).parent.name for path in without} <= {"oru_r01"}


def test_the_examples_pass(spark: SparkSession, tmp_path: Path) -> None:
    # what other templates are made of has its examples once
    names = [name for name in RUN if name not in DOCUMENTS]
    region = _write_region(tmp_path, names)
    results = list(run_examples(spark, region, region.sites))
    assert len(results) > len(names)
    assert {result.example.place: result.failures for result in results if result.failures} == {}


def test_one_run_brings_all_of_them_to_silver(spark: SparkSession, region: Region, tmp_path: Path) -> None:
    zone = new_zone(tmp_path)
    for name in RUN:
        kind, entity = name.split("/")
        if name in DOCUMENTS:
            document = write_document(DOCUMENTS[name], len(name), encoding="GB18030")
            deliver(zone, DAY, f"{entity}-1.xml", document.data)
        elif kind == "hl7v2" and (text := "".join(_texts(name))):
            deliver(zone, DAY, f"{entity}-1.hl7", text.replace("\n", "\r").encode("gb18030"))
        else:
            for number, text in enumerate(_texts(name)):
                deliver(zone, DAY, f"{entity}-{number}.xml", text)
    report = small_site.run(spark, zone, region)
    assert {rule for found in rules(zone).values() for rule in found} <= {"unpaired_results"}
    reconcile(zone).raise_if_unexplained()
    assert set(report.resources_out) >= {kind for name in RUN for kind in GIVEN.get(name, ())}
    names = {"张三", "李四", "13800138000"}
    said = {kind: str(resources(zone, kind)) for kind in report.resources_out}
    assert [kind for kind, text in said.items() if any(name in text for name in names)] == []
    assert "乙型肝炎疫苗" in said["Immunization"]
