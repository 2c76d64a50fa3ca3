"""Public data into landing folders: cut at records, bytes unchanged, left alone when it is there."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from contracts.errors import UsageError
from contracts.region import Column, Delivery, Region, Site, Source
from contracts.zone import WorkArea
from pipelines.delivery import deliver_public_data, part_of, require_data

CSV = 'department,title,ask\r\n内科,"一\n二",甲\r\n外科,"说""好""",乙\r\n\r\n儿科,三,丙\r\n眼科,四,丁'.encode()


def _source(format: str = "csv", **delivery: object) -> Source:
    return Source.model_validate(
        {
            "system": "toyhom",
            "entity": "question",
            "files": ("questions*",),
            "format": format,
            "column": (Column(name="title"),),
            "delivery": Delivery.model_validate({"data": "set/questions.csv.gz", **delivery}),
        }
    )


def _region(tmp_path: Path, *sources: Source) -> Region:
    sites = tuple(Site(name=f"s{n}", title="", folder=tmp_path, sources=(source,)) for n, source in enumerate(sources))
    return Region(name="r", title="", folder=tmp_path, sites=sites, tasks=())


def _part(source: Source, k: int, n: int, content: bytes) -> bytes:
    assert source.delivery is not None
    return part_of(source, source.delivery.model_copy(update={"part": (k, n)}), content)


def test_the_parts_of_a_file_are_its_records_dealt_out_with_their_exact_bytes() -> None:
    source = _source()
    header = b"department,title,ask\r\n"
    assert _part(source, 0, 2, CSV) == header + '内科,"一\n二",甲\r\n儿科,三,丙\r\n'.encode()
    assert _part(source, 1, 2, CSV) == header + '外科,"说""好""",乙\r\n眼科,四,丁'.encode()
    assert _part(source, 0, 1, CSV) == CSV


def test_a_byte_that_is_no_text_stays_that_byte() -> None:
    content = b"department,title,ask\n" + "内科,甲,乙\n".encode() * 9 + b"\xb7\xff,a\\b,c\nx,y,z\n"
    assert _part(_source(), 9, 11, content).endswith(b"\xb7\xff,a\\b,c\n")


def test_ndjson_is_cut_at_lines() -> None:
    content = b'{"title":"a"}\n{"title":"b"}\n{"title":"c"}\n'
    assert _part(_source("ndjson"), 1, 2, content) == b'{"title":"b"}\n'


def test_gz_is_unpacked_into_each_sites_landing_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "data" / "set").mkdir(parents=True)
    (tmp_path / "data" / "set" / "questions.csv.gz").write_bytes(gzip.compress(CSV))
    region = _region(tmp_path, _source(part=(0, 2), day="2026-01-05"), _source(part=(1, 2), day="2026-01-05"))
    work = WorkArea(tmp_path / "work")
    assert deliver_public_data(region, tmp_path / "data", work) == 2
    files = [work.site(name).landing / "2026-01-05" / "questions.csv" for name in ("s0", "s1")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    assert before[0][0] != before[1][0]
    deliver_public_data(region, tmp_path / "data", work)
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before


def test_a_missing_data_path_or_file_is_said_in_one_line(tmp_path: Path) -> None:
    region = _region(tmp_path, _source())
    with pytest.raises(UsageError, match=r"^region 'r' stands on public data: give --data PATH.*questions.csv.gz$"):
        require_data(region, None)
    with pytest.raises(UsageError, match=r"^no file set/questions.csv.gz in "):
        deliver_public_data(region, tmp_path, WorkArea(tmp_path / "work"))
    assert not (tmp_path / "work").exists()


def test_a_region_without_deliveries_needs_no_data(tmp_path: Path) -> None:
    require_data(_region(tmp_path), None)
