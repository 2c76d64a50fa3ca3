"""Files of records scored: every record has its row, whatever is wrong with it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from small_models import released_model

from contracts.errors import UsageError
from registry.predict import predict
from registry.score_file import score_file, score_records, write_scores
from registry.store import Model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return released_model(tmp_path_factory.mktemp("registry"))[0]


def scored(model: Model, folder: Path, content: str | bytes, name: str = "in.csv") -> list[dict[str, str]]:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(data)
    count, errors = score_file(model, folder / name, folder / "out.csv")
    rows = read_rows(folder / "out.csv")
    assert (count, errors) == (len(rows), sum(bool(row["error"]) for row in rows))
    assert [row["record"] for row in rows] == [str(i) for i in range(len(rows))]
    return rows


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_have_the_documented_columns_and_the_model_s_numbers(model: Model, tmp_path: Path) -> None:
    rows = scored(model, tmp_path, "chief_complaint,age,sex,label\n咳嗽,50,male,03.01|07\n")
    expected = predict(model, {"chief_complaint": "咳嗽", "age": 50, "sex": "male"})
    assert list(rows[0]) == ["record", "predicted", "p:03.01", "p:07", "p:13", "label", "error"]
    assert {code: float(rows[0][f"p:{code}"]) for code in expected} == expected
    assert (rows[0]["predicted"], rows[0]["label"], rows[0]["error"]) == ("03.01", "03.01|07", "")


def test_bad_records_keep_their_rows_between_good_ones(model: Model, tmp_path: Path) -> None:
    rows = scored(
        model,
        tmp_path,
        'chief_complaint,age,sex\n咳嗽,50,male\n咳嗽,old,male\n咳嗽,50\n,,\n"没有结束,50,male\n皮疹,30,female\n',
    )
    assert [row["error"] for row in rows] == [
        "",
        "age: not a number",
        "2 columns where the header has 3",
        "no input: all of chief_complaint, age, sex are missing",
        "a quote that is not closed, or text after one",
        "",
    ]
    assert [row["predicted"] for row in rows] == ["03.01", "", "", "", "", "13"]


def test_an_unclosed_quote_does_not_swallow_records_up_to_a_later_quote(model: Model, tmp_path: Path) -> None:
    rows = scored(model, tmp_path, 'chief_complaint,age,sex\n"咳嗽,50,male\n皮疹,3,male\n"皮疹",30,female\n')
    assert [bool(row["error"]) for row in rows] == [True, False, False]


def test_quoted_newlines_commas_and_huge_fields_are_one_record(model: Model, tmp_path: Path) -> None:
    long = "咳嗽，" * 100_000
    rows = scored(model, tmp_path, f'age,chief_complaint,sex\n50,"咳嗽,\n已 3 ""天""",male\n50,{long},male\n')
    assert [row["predicted"] for row in rows] == ["03.01", "03.01"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_encoding_is_found(model: Model, tmp_path: Path, encoding: str) -> None:
    text = "chief_complaint,age,sex\r\n皮疹，瘙痒,30,female\r\n"
    assert [row["predicted"] for row in scored(model, tmp_path, text.encode(encoding))] == ["13"]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_byte_that_is_no_text_costs_its_own_record_only(model: Model, tmp_path: Path, encoding: str) -> None:
    good = "".join(f"皮疹与瘙痒反复发作第{i}次,30,female\n" for i in range(20)).encode(encoding)
    rows = scored(model, tmp_path, b"chief_complaint,age,sex\n" + good + b"\xff\xff,30,female\n" + good)
    assert [i for i, row in enumerate(rows) if row["error"]] == [20]


def test_json_lines_bad_and_good(model: Model, tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {"chief_complaint": "咳嗽\u2028夜间", "age": 50, "sex": "male", "label": ["03.01", "07"]},
            ensure_ascii=False,
        ),
        '{"chief_complaint": "咳嗽", ',
        "[1]",
        '{"age": "fifty", "chief_complaint": "咳嗽"}',
        '{"chief_complaint": 5}',
        '{"chief_complaint": "皮疹"}',
        "{}",
    ]
    rows = scored(model, tmp_path, "\n".join(lines) + "\n", "in.jsonl")
    assert [row["predicted"] for row in rows] == ["03.01", "", "", "", "", "13", ""]
    assert rows[0]["label"] == "03.01|07"
    assert [row["error"] for row in rows[1:3]] == ["not valid JSON", "not a JSON object"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", "chief_complaint,sex\n咳嗽,male\n"),
        ("in.jsonl", '{"chief_complaint": "咳嗽", "sex": "male"}\n'),
        ("in.csv", ""),
        ("in.csv", "\ufeff \n"),
        ("in.csv", "chief_complaint,age,age,sex\n咳嗽,1,2,male\n"),
    ],
)
def test_a_file_without_a_needed_column_is_refused_in_one_line(
    model: Model, tmp_path: Path, name: str, content: str
) -> None:
    with pytest.raises(UsageError) as caught:
        scored(model, tmp_path, content, name)
    assert "age" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out.csv").exists()


def test_a_header_alone_gives_no_rows(model: Model, tmp_path: Path) -> None:
    assert scored(model, tmp_path, "chief_complaint,age,sex\n") == []


def test_more_records_than_a_batch_stay_in_order(model: Model, tmp_path: Path) -> None:
    lines = [f"{'皮疹' if i % 3 else '咳嗽'},{'x' if i % 7 == 0 else 30},male" for i in range(2100)]
    rows = scored(model, tmp_path, "chief_complaint,age,sex\n" + "\n".join(lines))
    expected = ["" if i % 7 == 0 else "13" if i % 3 else "03.01" for i in range(2100)]
    assert [row["predicted"] for row in rows] == expected


def test_mapped_records_are_scored_with_their_label(model: Model, tmp_path: Path) -> None:
    visit: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": "v1",
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2024-05-01"},
        "reasonCode": [{"text": "小儿发热"}],
        "serviceType": {"coding": [{"code": "07"}]},
    }
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2019-01-01", "gender": "male"}
    bare = {"resourceType": "Encounter", "id": "v2", "serviceType": {"coding": [{"code": "13"}]}}
    rows = score_records(model, [[visit, patient], "unknown_code", [patient], [bare], []])
    assert write_scores(tmp_path / "out.csv", model.card.classes, rows) == (5, 4)
    found = read_rows(tmp_path / "out.csv")
    assert [(row["predicted"], row["label"]) for row in found] == [
        ("07", "07"),
        ("", ""),
        ("", ""),
        ("", "13"),
        ("", ""),
    ]
    assert found[1]["error"] == "unknown_code"
