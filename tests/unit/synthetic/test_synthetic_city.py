"""The synthetic city: the same seed gives the same bytes, and the truth counts what stands in the files."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from random import Random

import pytest

from contracts.errors import UsageError
from contracts.region import Region, load_region
from contracts.zone import WorkArea
from synthetic.city import Visit, open_hospital
from synthetic.generate import HABITS, generate_city, habit_of
from synthetic.illnesses import DEPARTMENTS, DRUGS, ILLNESSES, LAB_ITEMS
from synthetic.people import check_digit, make_person, wrong_check_digit
from synthetic.phrases import SYMPTOMS, complaint
from synthetic.widen import widen_region

DEMO = Path(__file__).resolve().parents[3] / "regions" / "demo"


@pytest.fixture(scope="module")
def demo() -> Region:
    return load_region(DEMO)


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(demo: Region, tmp_path: Path) -> None:
    generate_city(demo, tmp_path / "one", seed=5, patients=60)
    generate_city(demo, tmp_path / "two", seed=5, patients=60)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_another_seed_gives_another_city(demo: Region, tmp_path: Path) -> None:
    generate_city(demo, tmp_path / "one", seed=5, patients=60)
    generate_city(demo, tmp_path / "two", seed=6, patients=60)
    assert _files(tmp_path / "one") != _files(tmp_path / "two")


def test_generating_again_touches_no_file_that_stays_and_removes_what_another_seed_left(
    demo: Region, tmp_path: Path
) -> None:
    generate_city(demo, tmp_path, seed=5, patients=60)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.csv")}
    generate_city(demo, tmp_path, seed=5, patients=60)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.csv")} == before
    stale = tmp_path / "sites" / "north" / "landing" / "2026-03-02" / "门诊就诊_old.csv"
    stale.write_bytes(b"x")
    generate_city(demo, tmp_path, seed=6, patients=60)
    assert not stale.exists()


def test_the_truth_lies_outside_every_site_zone_and_equals_what_is_returned(demo: Region, tmp_path: Path) -> None:
    truth = generate_city(demo, WorkArea(tmp_path), seed=5, patients=60)
    written = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert not list((tmp_path / "sites").rglob("truth*"))
    assert {name: site["records"] for name, site in written["sites"].items()} == {
        name: site.records for name, site in truth.sites.items()
    }


def test_the_truth_names_every_file_and_its_dispositions_add_up(demo: Region, tmp_path: Path) -> None:
    truth = generate_city(demo, tmp_path, seed=5, patients=200)
    for name, site in truth.sites.items():
        landing = WorkArea(tmp_path).site(name).landing
        assert {f"{file.day}/{file.name}" for file in site.files} == set(_files(landing))
        for file in site.files:
            others = sum(file.quarantined.values()) + sum(file.skipped.values())
            assert file.records == file.mapped + file.superseded + others
        assert site.records == sum(file.records for file in site.files)


def test_ndjson_files_have_a_line_for_every_record_of_the_truth(demo: Region, tmp_path: Path) -> None:
    truth = generate_city(demo, tmp_path, seed=5, patients=200)
    landing = WorkArea(tmp_path).site("east").landing
    for file in truth.sites["east"].files:
        assert (landing / file.day / file.name).read_bytes().count(b"\n") == file.records


def test_every_kind_of_defect_of_the_list_is_planted_somewhere(demo: Region, tmp_path: Path) -> None:
    truth = generate_city(demo, tmp_path, seed=5, patients=200)
    planted = {key.split("/")[1] for site in truth.sites.values() for key, count in site.planted.items() if count}
    assert planted >= {
        "bad_bytes", "unclosed_quote", "missing_identifier", "wrong_check_digit", "impossible_date", "unknown_code",
        "exact_duplicate", "superseding_duplicate", "no_value", "full_width_digits", "absent_patient",
        "file_delivered_twice", "broken_json", "cancelled",
    }  # fmt: skip


def test_north_writes_gb18030_with_bytes_that_are_none_and_a_quoted_line_break(demo: Region, tmp_path: Path) -> None:
    generate_city(demo, tmp_path, seed=5, patients=200)
    paths = (tmp_path / "sites" / "north" / "landing").rglob("门诊就诊_*.csv")
    content = b"".join(path.read_bytes() for path in sorted(paths))
    with pytest.raises(UnicodeDecodeError):
        content.decode("gb18030")
    text = content.decode("gb18030", "replace")
    assert text.startswith("就诊号,病人编号,就诊时间")
    assert "。\n既往史" in text


def test_south_opens_with_a_byte_order_mark(demo: Region, tmp_path: Path) -> None:
    generate_city(demo, tmp_path, seed=5, patients=60)
    for path in (tmp_path / "sites" / "south" / "landing").rglob("*.csv"):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_adding_a_hospital_leaves_the_others_as_they_were() -> None:
    assert open_hospital("north", 30, 5) == open_hospital("north", 30, 5)
    assert open_hospital("north", 30, 5).visits != open_hospital("north_2", 30, 5).visits


def test_illness_drives_what_is_written() -> None:
    visits = open_hospital("north", 2000, 5).visits
    pneumonia = [v for v in visits if v.illness.code == "J18.900"]
    others = [v for v in visits if v.illness.code != "J18.900"]

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    def crp(chosen: list[Visit]) -> list[float]:
        return [float(lab.value) for v in chosen for lab in v.labs if lab.item == "crp"]

    assert mean(crp(pneumonia)) > 3 * mean(crp(others))
    assert mean([v.department in ("03.01", "07") for v in pneumonia]) > 0.85
    temperatures = [float(v.vitals["temperature"]) for v in pneumonia if "temperature" in v.vitals]
    assert mean(temperatures) > 37.5


def test_labels_carry_a_few_percent_of_noise() -> None:
    visits = open_hospital("north", 4000, 5).visits
    wrong = [v for v in visits if v.department not in (v.illness.department, "07")]
    assert 0.03 < len(wrong) / len(visits) < 0.10


def test_the_catalogue_is_whole() -> None:
    assert len(ILLNESSES) >= 25 and len(DEPARTMENTS) >= 10
    for illness in ILLNESSES:
        assert illness.department in DEPARTMENTS
        assert {symptom for symptom, _ in illness.symptoms} <= set(SYMPTOMS)
        assert {item for item, _, _ in illness.labs} <= set(LAB_ITEMS)
        assert set(illness.drugs) <= set(DRUGS)


def test_one_symptom_is_said_in_many_ways() -> None:
    rng = Random(3)
    assert len({complaint(["咳嗽", "发热"], False, rng) for _ in range(200)}) > 150


def test_id_cards_have_a_right_check_digit_of_a_place_that_does_not_exist() -> None:
    rng = Random(1)
    for number in range(50):
        card = make_person(number, number % 2 == 0, number, date(2026, 3, 2), rng).id_card
        assert len(card) == 18 and card.startswith("990101") and check_digit(card[:17]) == card[17]
        assert check_digit(wrong_check_digit(card)[:17]) != wrong_check_digit(card)[17]
    # the worked example of GB 11643-1999
    assert check_digit("11010519491231002") == "X"


def test_more_hospitals_than_four_repeat_the_four_habits(demo: Region, tmp_path: Path) -> None:
    wide = widen_region(demo, tmp_path / "wide", 6)
    assert [site.name for site in wide.sites] == ["east", "east_2", "north", "north_2", "south", "west"]
    assert habit_of(wide.site("north_2")).name == "north"
    truth = generate_city(wide, tmp_path / "work", seed=5, patients=90)
    assert set(truth.sites) == {site.name for site in wide.sites}
    assert all(site.records for site in truth.sites.values())


def test_a_region_with_one_hospital_can_be_made(demo: Region, tmp_path: Path) -> None:
    assert [site.name for site in widen_region(demo, tmp_path / "one", 1).sites] == ["east"]


def test_too_few_patients_for_the_sites_is_said_in_one_line(demo: Region, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 5 a site"):
        generate_city(demo, tmp_path, patients=7)


def test_a_region_that_is_not_synthetic_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \[synthetic\] section"):
        generate_city(load_region(DEMO.parent / "heart"), tmp_path)


def test_every_habit_has_a_site_in_the_demo(demo: Region) -> None:
    assert {habit_of(site).name for site in demo.sites} == {habit.name for habit in HABITS}
