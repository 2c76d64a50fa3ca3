"""The MLLP listener: durable before acknowledged, once however often sent, within limits, nothing lost by a kill."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mllp_client import END, VT, Sender, code_of, message, self_signed_client, write_feed_region

from contracts.errors import UsageError
from contracts.region import load_region
from contracts.zone import SiteZone
from fhir_mapping.sources.reader import read_records
from governance.certificates import issue_server, make_root
from pipelines.listen import ANY, Listener, ListenLimits
from pipelines.listen_setup import read_routes, tls_context
from pipelines.listen_store import Store, StoreLimits
from synthetic.hl7v2_cn import VENDORS, make_feed

NOW = datetime(2024, 3, 1, 8, 5, tzinfo=UTC)
MAIN = "from pipelines.cli.main import main; main()"
ROOT = Path(__file__).resolve().parents[3]


class Setup:
    """A site's sources and zone, and stores on them."""

    def __init__(self, folder: Path) -> None:
        self.site = load_region(write_feed_region(folder / "region", "result", "adt")).site("north")
        self.zone = SiteZone(folder / "zone", "north")
        self.now = NOW

    def store(self, name: str = "lis__result", **limits: float) -> Store:
        return Store(self.zone, self.site, self.site.source(name), lambda: self.now, StoreLimits(**limits))  # type: ignore[arg-type]

    def delivered(self, pattern: str = "*/oru*.hl7") -> list[str]:
        """Control ids of all delivered messages, by file name."""
        source = self.site.source("lis__result" if "oru" in pattern else "his__adt")
        data = [path.read_bytes() for path in sorted(self.zone.landing.glob(pattern))]
        return [record.values["message_no"] or "" for part in data for record in read_records(source, part)]

    def set_aside(self) -> list[tuple[str, bytes]]:
        found = sorted(self.zone.root.glob("listener/*/quarantine/*.hl7"))
        return [(path.name.split(".")[1], path.read_bytes()) for path in found]


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


@contextmanager
def listening(
    stores: dict[str, Store], limits: ListenLimits | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, Listener]]:
    """A listener in a thread of its own; stopped as by SIGTERM."""
    listener = Listener(stores, next(iter(stores.values())), lambda: NOW, limits or ListenLimits())
    ready: list[int] = []
    loop = asyncio.new_event_loop()

    async def main() -> None:
        task = asyncio.ensure_future(listener.serve("127.0.0.1", 0, tls, ready.append))
        tasks.append(task)
        await asyncio.gather(task, return_exceptions=True)

    tasks: list[asyncio.Task[None]] = []
    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    try:
        _wait(lambda: bool(ready))
        yield ready[0], listener
    finally:
        loop.call_soon_threadsafe(lambda: tasks[0].cancel())
        thread.join(20)
        loop.close()


def _wait(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_an_acknowledged_message_is_on_disk_and_delivered_when_the_listener_stops(setup: Setup) -> None:
    store = setup.store()
    with listening({ANY: store}) as (port, _):
        sender = Sender(port)
        assert code_of(sender.send(message(1))[0]) == "AA"
        part = next((store.folder / "open").glob("*.part"))
        assert part.read_bytes() == VT + message(1) + END
        assert setup.delivered() == []
        sender.close()
    assert setup.delivered() == ["M1"]
    assert list((store.folder / "open").iterdir()) == []


def test_many_senders_at_once_lose_nothing(setup: Setup) -> None:
    with listening({ANY: setup.store()}) as (port, listener):

        def send(first: int) -> None:
            sender = Sender(port, timeout=30)
            for number in range(first, first + 25):
                assert code_of(sender.send(message(number))[0]) == "AA"
            sender.close()

        threads = [threading.Thread(target=send, args=(1000 * place,)) for place in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert listener.counts["accept"] == 200
    assert sorted(setup.delivered()) == sorted(f"M{1000 * place + n}" for place in range(8) for n in range(25))


def test_a_message_sent_again_is_acknowledged_again_and_kept_once(setup: Setup) -> None:
    for _ in range(2):
        with listening({ANY: setup.store()}) as (port, _):
            sender = Sender(port)
            assert [code_of(sender.send(message(n))[0]) for n in (1, 1, 2, 1)] == ["AA"] * 4
            sender.close()
    assert setup.delivered() == ["M1", "M2"]
    with listening({ANY: setup.store()}) as (port, _):
        sender = Sender(port)
        sender.send(message(1, more="OBX|1|NM|K||4.1\r"))
        sender.close()
    assert setup.delivered() == ["M1", "M2", "M1"], "another content under the same control id is another message"


def test_what_cannot_be_read_is_answered_ae_and_set_aside(setup: Setup) -> None:
    bad = "MSH|^~\\&|A|B|C|D|2024||ORU^R01||P|2.4\rPID|1||张三\r".encode()
    with listening({ANY: setup.store()}) as (port, _):
        sender = Sender(port)
        assert code_of(sender.send(b"rubbish")[0]) == "AE"
        assert code_of(sender.send(bad)[0]) == "AE"
        assert code_of(sender.send(message(1))[0]) == "AA"
        sender.close()
    assert setup.set_aside() == [("missing_msh", b"rubbish"), ("missing_control_id", bad)]
    assert setup.delivered() == ["M1"]


def test_what_no_source_takes_is_rejected_and_types_go_their_ways(setup: Setup) -> None:
    stores = {"ORU": setup.store(), "ADT": setup.store("his__adt")}
    with listening(stores) as (port, _):
        sender = Sender(port)
        assert code_of(sender.send(message(1))[0]) == "AA"
        assert code_of(sender.send(message(2, "ADT^A01"))[0]) == "AA"
        assert code_of(sender.send(message(3, "SIU^S12"))[0]) == "AR"
        assert code_of(sender.send(message(4).replace(b"|2.4", b"|3.0"))[0]) == "AR"
        sender.close()
    assert (setup.delivered(), setup.delivered("*/adt*.hl7")) == (["M1"], ["M2"])


def test_a_sender_that_asks_for_no_answer_gets_none(setup: Setup) -> None:
    with listening({ANY: setup.store()}) as (port, _):
        sender = Sender(port)
        assert sender.send(message(1, tail="|||NE|NE"), answers=0) == []
        assert [code_of(text) for text in sender.send(message(2, tail="|||AL|AL"), answers=2)] == ["CA", "AA"]
        sender.close()
    assert setup.delivered() == ["M1", "M2"]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_what_chinese_vendors_send_arrives_as_it_was_sent(setup: Setup, vendor: object) -> None:
    feed = make_feed(5, vendor, patients=3)  # type: ignore[arg-type]
    sent = [one.text.encode(feed.vendor.codec) for one in feed.oru]
    with listening({ANY: setup.store()}) as (port, _):
        sender = Sender(port)
        for data in sent:
            sender.socket.sendall(VT + data + END)
            assert code_of(sender.answer(feed.vendor.codec)) == "AA"
        sender.close()
    (path,) = setup.zone.landing.glob("*/oru*.hl7")
    assert path.read_bytes() == b"".join(VT + data + END for data in dict.fromkeys(sent))


def test_limits_end_a_connection_and_not_the_listener(setup: Setup) -> None:
    limits = ListenLimits(message_bytes=1000, connections=2, frame_seconds=0.3, idle_seconds=5)
    with listening({ANY: setup.store()}, limits) as (port, listener):
        large = Sender(port)
        assert code_of(large.send(message(1, more="OBX|" + "x" * 5000))[0]) == "AE"
        assert large.answer() == ""
        slow = Sender(port)
        slow.socket.sendall(VT + b"MSH|")
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"^~\\&|LIS" * 9:
                time.sleep(0.05)
                slow.socket.sendall(bytes([byte]))
        assert time.monotonic() - began < 3
        keep = [Sender(port), Sender(port)]
        assert code_of(keep[0].send(message(2))[0]) == "AA"
        assert code_of(keep[1].send(message(3))[0]) == "AA"
        refused = Sender(port)
        assert refused.answer() == ""
        assert listener.counts["refused"] == 1
        for sender in (large, slow, refused, *keep):
            sender.close()
    assert setup.delivered() == ["M2", "M3"]


def test_files_are_closed_by_age_by_size_and_at_midnight(setup: Setup) -> None:
    store = setup.store(seconds=60, bytes=200)
    store.keep([message(1)])
    store.close_if_due()
    assert setup.delivered() == []
    setup.now = NOW.replace(minute=7)
    store.close_if_due()
    assert setup.delivered() == ["M1"]
    store.keep([message(2), message(3), message(4)])
    store.close_if_due()
    assert setup.delivered() == ["M1", "M2", "M3", "M4"]
    setup.now = NOW.replace(hour=23, minute=59, second=59)
    store.keep([message(5)])
    setup.now = NOW.replace(day=2, hour=0, minute=0)
    store.close_if_due()
    assert [path.parent.name for path in sorted(setup.zone.landing.glob("*/*"))] == ["2024-03-01"] * 3
    store.keep([message(6)])
    store.close()
    assert len(list((setup.zone.landing / "2024-03-02").iterdir())) == 1


def test_a_torn_end_is_set_aside_and_the_rest_delivered_at_the_next_start(setup: Setup) -> None:
    store = setup.store()
    store.keep([message(1), message(2)])
    part = next((store.folder / "open").glob("*.part"))
    with part.open("ab") as file:
        file.write(VT + message(3)[:20])
    store.abandon()
    again = setup.store()
    assert setup.delivered() == ["M1", "M2"]
    assert setup.set_aside() == [("torn", VT + message(3)[:20])]
    assert again.keep([message(2), message(3)]) == 1
    again.close()
    assert setup.delivered() == ["M1", "M2", "M3"]


def test_one_listener_a_source(setup: Setup) -> None:
    store = setup.store()
    with pytest.raises(UsageError, match="another listener runs"):
        setup.store()
    store.close()
    store.close()
    setup.store().close()


def test_a_kill_after_the_answer_loses_no_message(tmp_path: Path) -> None:
    region = write_feed_region(tmp_path / "region", "result")
    work = tmp_path / "work"
    argv = [
        sys.executable,
        "-c",
        MAIN,
        "listen",
        str(region),
        "north",
        "--work",
        str(work),
        "--port",
        "0",
    ]
    zone = SiteZone(work / "sites" / "north", "north")
    acknowledged: list[int] = []
    for attempt in range(3):
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline().split(":")[1].split(" ")[0])
            sender = Sender(port)
            for number in range(attempt * 100, attempt * 100 + 30):
                assert code_of(sender.send(message(number))[0]) == "AA"
                acknowledged.append(number)
            sender.socket.sendall(VT + message("torn")[:30])
            process.kill() if attempt < 2 else process.terminate()
            process.wait(20)
            sender.close()
    source = load_region(region).site("north").sources[0]
    files = sorted(zone.landing.glob("*/*.hl7"))
    found = [record.values["message_no"] for path in files for record in read_records(source, path.read_bytes())]
    assert sorted(found, key=str) == sorted((f"M{number}" for number in acknowledged), key=str)


def test_over_tls_only_senders_of_the_named_authority_are_heard(setup: Setup, tmp_path: Path) -> None:
    make_root(tmp_path / "root.crt", tmp_path / "root.key", "root")
    server = tmp_path / "listener.crt", tmp_path / "listener.key"
    issue_server(tmp_path / "root.crt", tmp_path / "root.key", *server, ("localhost",))
    engine = self_signed_client(tmp_path / "engine")
    client = ssl.create_default_context(cafile=str(tmp_path / "root.crt"))
    with listening({ANY: setup.store()}, tls=tls_context("0.0.0.0", *server, engine[0], False)) as (port, _):
        with contextlib.closing(Sender(port)) as plain, contextlib.suppress(OSError):
            assert plain.send(message(1)) == [""]
        with contextlib.suppress(OSError), contextlib.closing(Sender(port, client)) as stranger:
            assert stranger.send(message(2)) == [""]
        client.load_cert_chain(*engine)
        with contextlib.closing(Sender(port, client)) as sender:
            assert code_of(sender.send(message(3))[0]) == "AA"
    assert setup.delivered() == ["M3"]


def test_tls_is_needed_beyond_this_machine_and_takes_certificates_only(tmp_path: Path) -> None:
    assert tls_context("127.0.0.1", None, None, None, False) is None
    assert tls_context("10.1.2.3", None, None, None, True) is None
    with pytest.raises(UsageError, match="give --tls-cert"):
        tls_context("10.1.2.3", None, None, None, False)
    (tmp_path / "x.pem").write_text("no certificate", encoding="utf-8")
    with pytest.raises(UsageError, match="no certificate with its key"):
        tls_context("10.1.2.3", tmp_path / "x.pem", tmp_path / "x.pem", None, False)
    with pytest.raises(UsageError, match="together"):
        tls_context("127.0.0.1", tmp_path / "x.pem", None, None, False)


def test_routes_name_sources_by_type(setup: Setup) -> None:
    routes = read_routes(setup.site, ["adt=his__adt", "lis__result"])
    assert {kind: source.name for kind, source in routes.items()} == {"ADT": "his__adt", ANY: "lis__result"}
    with pytest.raises(UsageError, match="has 2 HL7 v2 sources"):
        read_routes(setup.site, [])
    with pytest.raises(UsageError, match="no HL7 v2 source 'his__x'"):
        read_routes(setup.site, ["his__x"])
    with pytest.raises(UsageError, match="names ADT twice"):
        read_routes(setup.site, ["ADT=his__adt", "ADT=lis__result"])
