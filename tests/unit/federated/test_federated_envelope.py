from __future__ import annotations

import json

import pytest
from flwr.app import ConfigRecord, RecordDict

from federated.envelope import RECORD, Request, pack_frames, pack_requests, unpack_frames, unpack_requests

BATCH = [
    Request("join", "r1", parts=(("descriptor", b"d"),)),
    Request("round", "r2", 3, 1, (("seed", b""), ("total", b"t0"), ("total", b"t1"))),
    Request("ping", ""),
]


def test_a_batch_comes_out_as_it_went_in() -> None:
    assert unpack_requests(pack_requests(BATCH)) == BATCH
    assert BATCH[1].named("total") == [b"t0", b"t1"]


def test_equal_batches_are_equal_objects_so_that_flower_uploads_them_once() -> None:
    assert pack_requests(BATCH).object_id == pack_requests(list(BATCH)).object_id


def test_frames_come_out_in_order() -> None:
    assert unpack_frames(pack_frames([b"a", b"", b"c"])) == [b"a", b"", b"c"]


def record(head: object, parts: list[bytes]) -> RecordDict:
    return RecordDict({RECORD: ConfigRecord({"head": json.dumps(head), "parts": parts})})


@pytest.mark.parametrize(
    "content",
    [
        RecordDict({}),
        RecordDict({RECORD: ConfigRecord({"head": "not json", "parts": [b""]})}),
        RecordDict({RECORD: ConfigRecord({"head": "[]", "parts": "text"})}),
        record({}, []),
        record([["join", "r", 0, 0]], []),
        record([["open", "r", 0, 0, []]], []),
        record([["join", "r", "0", 0, []]], []),
        record([["join", "r", 0, 0, ["a"]]], []),
        record([["join", "r", 0, 0, []]], [b"left over"]),
    ],
)
def test_anything_else_is_refused_as_one_error(content: RecordDict) -> None:
    with pytest.raises(ValueError):
        unpack_requests(content)
