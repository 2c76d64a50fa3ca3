"""What a hospital tells of its deliveries counts only when it signed it, and only the latest; the rest is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from signed_roster import sign_roster

from contracts.errors import BusyError, CredentialError, IntegrityError, UsageError
from contracts.operations import Bulletin, Delivery
from contracts.region import Region, Site
from contracts.zone import WorkArea
from governance.signing import Identity, sign_record
from pipelines.bulletins import KIND, MEMORY, Signed, read_signed, receive, sign_messages, write_signed
from pipelines.connection import Heard, make_report, report_lines
from pipelines.locks import locked

SECRET_COUNT = 7770


def delivery(site: str = "north", records: int = 10) -> Delivery:
    return Delivery(
        site=site, source="his__visit", day="2026-03-02", files=1, refused_files=0, repeated_files=0, megabytes=1,
        records=records, mapped=0, quarantined=0, skipped=0, superseded=0, erased=0,
        mapped_percent=None, quarantined_percent=None,
    )  # fmt: skip


class Commission:
    """A region of one hospital of its own and two others, and the files that arrive."""

    def __init__(self, folder: Path) -> None:
        self.area = WorkArea(folder)
        site = Site(name="north", title="North", folder=folder, sources=())
        self.region = Region(name="small", title="Small", folder=folder, sites=(site,), tasks=())
        self.identities = sign_roster(self.area, self.region)

    def made(self, records: int = 10) -> Signed:
        return sign_messages(self.area.site("north"), "small", [delivery(records=records)])

    def signed(self, key: Identity | None = None, **other: Any) -> Signed:
        body = {"region": "small", "site": "north", "at": "2026-03-02T00:00:00.000000Z", **other}
        body.setdefault("messages", (delivery(records=SECRET_COUNT).model_dump(mode="json"),))
        record = Bulletin.model_validate(body)
        return Signed(sign_record(key or self.identities["north"], KIND, record), "")

    def hear(self, *files: Signed | dict[str, Any]) -> tuple[list[Any], list[str], str]:
        """Records that count, reasons of what does not, and the report."""
        paths = []
        for number, one in enumerate(files):
            paths.append(self.area.root / f"file_{number}.json")
            if isinstance(one, Signed):
                write_signed(paths[-1], [one])
            else:
                paths[-1].write_text(json.dumps({"bulletins": [one]}), encoding="utf-8")
        accepted, refused = receive(self.area, paths)
        messages = tuple(message for one in accepted for message in one.messages)
        shown = "\n".join(report_lines(self.region, Heard(messages, (), tuple(refused))))
        counted = [message.records for message in messages if isinstance(message, Delivery)]
        return counted, [one.reason for one in refused], shown


def instant(ahead: timedelta) -> str:
    return (datetime.now(UTC) + ahead).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.fixture
def commission(tmp_path: Path) -> Commission:
    return Commission(tmp_path)


def altered(signed: Signed) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(signed.data)
    body["record"]["messages"][0]["records"] = SECRET_COUNT
    return body


def unsigned(signed: Signed) -> dict[str, Any]:
    return {name: value for name, value in json.loads(signed.data).items() if name != "signature"}


def test_what_a_hospital_signed_counts_and_may_be_read_again(commission: Commission) -> None:
    made = commission.made()
    for _ in range(2):
        counted, reasons, shown = commission.hear(made)
        assert (counted, reasons) == ([10], [])
        assert "whose numbers are not used: none" in shown


def test_what_it_did_not_sign_is_told_and_its_numbers_are_not_used(commission: Commission) -> None:
    north, near = commission.identities["north"], commission.identities["near"]
    stranger = sign_roster(WorkArea(commission.area.root / "elsewhere"), commission.region)["north"]
    row = {"kind": "row", "site": "north", "name": "x"}
    later = instant(timedelta(minutes=20))
    cases: list[tuple[Signed | dict[str, Any], str]] = [
        (unsigned(commission.signed()), "not signed"),
        ({"messages": [delivery().model_dump(mode="json")]}, "not signed"),
        (altered(commission.made()), "altered"),
        (commission.signed(near), "signed by another"),
        (commission.signed(stranger), "signed by another"),
        (commission.signed(north, region="other"), "another region"),
        (commission.signed(north, site="nowhere"), "no hospital on the roster"),
        (commission.signed(near, site="near"), "speaks of another hospital"),
        (commission.signed(north, messages=(row,)), "not on the list"),
        (commission.signed(north, at=later), "in the future"),
    ]
    for file, reason in cases:
        counted, reasons, shown = commission.hear(file)
        assert counted == [], reason
        assert len(reasons) == 1 and reason in reasons[0], (reason, reasons)
        assert "whose numbers are not used: none" not in shown and reasons[0] in shown and "7,770" not in shown
    assert not (commission.area.authority / MEMORY).exists()
    assert "no messages that count: see below" in commission.hear(altered(commission.made()))[2]


def test_one_that_is_older_than_the_last_one_seen_is_a_replay(commission: Commission) -> None:
    old, new = commission.made(20), commission.made(30)
    assert commission.hear(old)[0] == [20]
    assert commission.hear(new)[0] == [30]
    counted, reasons, shown = commission.hear(old)
    assert counted == [] and "older than the last one seen" in reasons[0]
    assert "no messages that count" in shown


def test_a_hospital_whose_clock_was_ahead_is_heard_when_it_is_right(commission: Commission) -> None:
    old, ahead = commission.made(20), commission.signed(at=instant(timedelta(days=1)))
    counted, (reason,), _ = commission.hear(ahead)
    assert counted == []
    told = json.loads(ahead.data)["record"]["at"]
    assert f"'north' made it at {told}, and here it is {instant(timedelta())[:10]}" in reason
    mended = commission.made(30)
    assert commission.hear(mended)[0] == [30]
    assert [commission.hear(one)[0] for one in (ahead, old, mended)] == [[], [], [30]]
    slightly = commission.signed(at=instant(timedelta(minutes=5)))
    assert commission.hear(slightly)[0] == [SECRET_COUNT]


def test_messages_are_not_read_beside_a_run(commission: Commission, tmp_path: Path) -> None:
    (tmp_path / "region.toml").write_text('name = "small"\ntitle = "Small"\ntimezone = "UTC"\n', encoding="utf-8")
    write_signed(tmp_path / "north.json", [commission.made()])
    with locked(commission.area.root), pytest.raises(BusyError, match="another run or job is at work"):
        make_report(tmp_path, commission.area.root, [], None, [tmp_path / "north.json"])
    assert not (commission.area.authority / MEMORY).exists()
    assert len(make_report(tmp_path, commission.area.root, [], None, [tmp_path / "north.json"])[1].messages) == 1


def test_two_of_one_instant_are_not_both_true(commission: Commission) -> None:
    assert commission.hear(commission.signed())[0] == [SECRET_COUNT]
    twin = commission.signed(messages=(delivery(records=40).model_dump(mode="json"),))
    assert commission.hear(twin)[0] == []


def test_of_two_that_came_together_the_later_counts(commission: Commission) -> None:
    old, new = commission.made(20), commission.made(30)
    for files in ((old, new), (new, old)):
        counted, reasons, _ = commission.hear(*files)
        assert counted == [30]
        assert len(reasons) == 1
    assert commission.hear(new, new)[:2] == ([30], []), "the same one twice is no other one"


def test_a_memory_that_was_altered_and_a_hospital_without_identity_are_named(commission: Commission) -> None:
    commission.hear(commission.made())
    (commission.area.authority / MEMORY).write_text("[]", encoding="utf-8")
    with pytest.raises(IntegrityError, match="altered"):
        commission.hear(commission.made())
    with pytest.raises(CredentialError, match="cloister key make"):
        sign_messages(commission.area.site("new"), "small", [])
    for text in ("{}", '{"bulletins":' + "[" * 100_000 + "]" * 100_000 + "}"):
        (commission.area.root / "x.json").write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="no file of operations messages"):
            read_signed([commission.area.root / "x.json"])
