"""The MLLP listener: a message is acknowledged only when it is durable; one commit serves all that wait for it.

Standard library only (asyncio, ssl): the one HL7 package with an MLLP server has had no release since 2022 and knows
neither durability nor limits (docs/adr/0005).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from contracts.errors import UsageError
from fhir_mapping.document import RecordError
from fhir_mapping.sources.mllp import (
    FrameError,
    FrameReader,
    Outcome,
    Received,
    answer_unreadable,
    answers,
    read_message,
)
from pipelines.listen_commit import Waiting, close_if_due, commit
from pipelines.listen_store import Store

ANY = "*"
"""Route of every message type that has none of its own."""

_CHUNK = 1 << 16
_BATCH = 512
_BACKLOG = 128


@dataclass(frozen=True)
class ListenLimits:
    """What one sender may cost.

    Attributes:
        message_bytes: of one message; memory is at most this times ``connections``.
        connections: open at once; further ones are closed at once.
        frame_seconds: from the first byte of a message to its last, and for taking an answer.
        idle_seconds: between messages.
    """

    message_bytes: int = 16 << 20
    connections: int = 64
    frame_seconds: float = 30.0
    idle_seconds: float = 3600.0


class Listener:
    """Receives messages over MLLP.

    Args:
        stores: by message code (``ORU``) or ``ANY``; a message that has no route is rejected.
        spare: takes what cannot be read, whatever it may have been.
    """

    def __init__(
        self, stores: Mapping[str, Store], spare: Store, clock: Callable[[], datetime], limits: ListenLimits
    ) -> None:
        self._stores, self._spare, self._clock, self._limits = stores, spare, clock, limits
        self._queue: asyncio.Queue[Waiting | None] = asyncio.Queue()
        self._disk = ThreadPoolExecutor(1, "disk")
        self._connections: set[asyncio.Task[None]] = set()
        self._number = 0
        self.counts: Counter[str] = Counter()
        """Messages by answer (``accept``, ``error``, ``reject``), and connections that were refused."""

    async def serve(
        self, host: str, port: int, tls: ssl.SSLContext | None, started: Callable[[int], None] | None = None
    ) -> None:
        """Listen until SIGTERM, SIGINT or cancellation, then finish what was begun and close the files.

        Args:
            started: called with the port once connections are taken.

        Raises:
            UsageError: the address or port cannot be had.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(name, stop.set)
        writer = asyncio.create_task(self._write())
        handshake = self._limits.frame_seconds if tls else None
        try:
            server = await asyncio.start_server(
                self._accept, host, port, ssl=tls, backlog=_BACKLOG, ssl_handshake_timeout=handshake
            )
        except OSError as error:
            await self._finish(writer)
            raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from error
        try:
            if started:
                started(server.sockets[0].getsockname()[1])
            await self._until(stop, writer)
        finally:
            server.close()
            await self._finish(writer)

    async def _until(self, stop: asyncio.Event, writer: asyncio.Task[None]) -> None:
        """Wait for the end; every second look whether files are due."""
        while not stop.is_set() and not writer.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
            for store in self._all():
                await self._on_disk(partial(close_if_due, store))

    async def _finish(self, writer: asyncio.Task[None]) -> None:
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._queue.put(None)
        await writer
        for store in self._all():
            await self._on_disk(store.close)
        self._disk.shutdown()

    def _all(self) -> list[Store]:
        return list({id(store): store for store in [*self._stores.values(), self._spare]}.values())

    async def _on_disk(self, work: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def _write(self) -> None:
        """Take what waits, make it durable in one go, say so."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._on_disk(partial(commit, [one for one in batch if one is not None]))
            if None in batch:
                return

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._limits.connections:
            self.counts["refused"] += 1
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except (TimeoutError, OSError, asyncio.CancelledError):
            # Silence, a broken line or the end: what was not acknowledged will be sent again.
            self.counts["broken"] += 1
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader(self._limits.message_bytes)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.idle_seconds
        while data := await asyncio.wait_for(reader.read(_CHUNK), max(deadline - loop.time(), 0.001)):
            was_open = frames.is_open
            try:
                for message in frames.feed(data):
                    was_open = False
                    await self._reply(writer, await self._receive(message))
            except FrameError as error:
                await self._reply(writer, [await self._refuse(error.data, error.rule)])
                return
            # A sender that goes on byte by byte does not get more time for each.
            if not frames.is_open:
                deadline = loop.time() + self._limits.idle_seconds
            elif not was_open:
                deadline = loop.time() + self._limits.frame_seconds

    async def _reply(self, writer: asyncio.StreamWriter, replies: Sequence[bytes]) -> None:
        writer.write(b"".join(replies))
        await asyncio.wait_for(writer.drain(), self._limits.frame_seconds)

    async def _receive(self, data: bytes) -> list[bytes]:
        """Keep a message and say what is answered to it."""
        try:
            received = read_message(data)
        except RecordError as error:
            return [await self._refuse(data, error.rule)]
        store = self._stores.get(received.kind[0], self._stores.get(ANY))
        version = received.message.header.raw(12).strip()
        if store is None or (version and not version.startswith("2")):
            return self._answer(received, "reject", "unsupported")
        try:
            await self._durable(store, data, "")
        except OSError:
            return self._answer(received, "error", "not_stored")
        return self._answer(received, "accept", "")

    async def _refuse(self, data: bytes, rule: str) -> bytes:
        """Set aside what cannot be read; a negative answer, since nobody can say that it arrived well."""
        self.counts["error"] += 1
        with contextlib.suppress(OSError):
            await self._durable(self._spare, data, rule)
        self._number += 1
        return answer_unreadable(rule, self._now(), f"C{self._clock():%Y%m%d%H%M%S}{self._number}")

    async def _durable(self, store: Store, data: bytes, rule: str) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put(Waiting(store, data, rule, done))
        # The message may be on disk though this connection ends: then it is kept, and sent again, once.
        await asyncio.shield(done)

    def _answer(self, received: Received, outcome: Outcome, rule: str) -> list[bytes]:
        self.counts[outcome] += 1
        self._number += 1
        number = f"C{self._clock():%Y%m%d%H%M%S}{self._number}"
        return answers(received, outcome, rule=rule, at=self._now(), number=number)

    def _now(self) -> str:
        return f"{self._clock():%Y%m%d%H%M%S%z}"
