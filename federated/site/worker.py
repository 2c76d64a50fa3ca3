"""``python -m federated.site.worker --config FILE``: the one process of a site that answers requests for terms.

It stands where Flower would start a process for each message and run code shipped with the message. This worker is
warm (imports, keys and rows are loaded once) and executes the installed application only: the bundle (FAB) of a run is
never unpacked, and a run with any other bundle than the marker gets the enumerated refusal ``foreign_code``, audited.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import httpx
from flwr.app import Message, RecordDict
from flwr.proto.runtime_pb2 import PullTaskInputResponse
from flwr.supercore.constant import TaskType

from contracts.errors import CloisterError, exit_code
from contracts.messages import RefusalCode
from federated.envelope import Request, pack_frames, unpack_requests
from federated.marker import marker_hash
from federated.runtime import Heartbeat, RuntimeConnection

log = logging.getLogger("cloister.site")

TASK_TYPES = (TaskType.CLIENT_APP, TaskType.AGENT_APP)
"""Agent tasks are taken only to be refused: left alone, they would block the SuperNode for good."""

PAUSE_SECONDS = 0.1
"""After a question that found no task. The SuperNode holds the question until there is one, up to a second."""

MESSAGE_TRIES = 200


class Application(Protocol):
    """What the hospital installed. Every method returns frames of the closed list that passed the egress guard."""

    def answer(self, request: Request) -> bytes:
        """The frame that answers one request."""
        ...

    def refuse(self, code: RefusalCode, run: str = "", round_no: int | None = None, about: str = "") -> bytes:
        """A refusal frame, audited together with ``about``, the digest of what was refused."""
        ...


class Worker:
    """Takes tasks from the SuperNode one after the other and answers each with frames of the application."""

    def __init__(self, connection: RuntimeConnection, application: Application) -> None:
        self.connection = connection
        self.application = application
        self.accepted_bundle = marker_hash()

    def run(self) -> None:
        """Work until the process is told to stop. A SuperNode that is away is waited for."""
        while True:
            try:
                if self.step():
                    continue
            except httpx.HTTPError as error:
                log.warning("the SuperNode did not answer: %s", type(error).__name__)
            time.sleep(PAUSE_SECONDS)

    def step(self) -> bool:
        """Take and answer one task; False when there is none. Raises httpx.HTTPError when the SuperNode fails."""
        task = self.connection.acquire(TASK_TYPES)
        if task is None:
            return False
        with Heartbeat(self.connection):
            given = self.connection.pull_input()
            message = self._message()
            if message is not None:
                content = self._answer(given, task.type, message)
                self.connection.push([Message(content, reply_to=message)])
            self.connection.finish(completed=message is not None)
        return True

    def _message(self) -> Message | None:
        """The task's message: a task exists a moment before its message has arrived."""
        try:
            for _ in range(MESSAGE_TRIES):
                messages = self.connection.pull()
                if messages:
                    return messages[0]
                time.sleep(0.01)
        except httpx.HTTPError:
            raise
        except Exception:
            # Whatever the coordinator sent, it must not end this process.
            log.exception("a message that cannot be read was given up")
            return None
        log.error("a task without a message was given up")
        return None

    def _answer(self, given: PullTaskInputResponse, task_type: str, message: Message) -> RecordDict:
        """Frames for the message, whatever it holds; never raises, never tells what went wrong beyond its code."""
        bundle = hashlib.sha256(given.fab.content).hexdigest()
        if task_type != TaskType.CLIENT_APP or {bundle, given.run.fab_hash} != {self.accepted_bundle}:
            log.error("refused a run with a foreign bundle, sha256 %s", bundle)
            return pack_frames([self.application.refuse(RefusalCode.FOREIGN_CODE, about=bundle)])
        try:
            requests = unpack_requests(message.content)
        except ValueError:
            return pack_frames([self.application.refuse(RefusalCode.BAD_MESSAGE)])
        return pack_frames([self._answer_one(request) for request in requests])

    def _answer_one(self, request: Request) -> bytes:
        try:
            return self.application.answer(request)
        except Exception:
            # The traceback stays in the site's own log; outside goes the enumerated code alone.
            log.exception("a %s request failed", request.kind)
            return self.application.refuse(RefusalCode.INTERNAL, request.run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the site's settings, open its application and work; returns only when that fails, with the exit code."""
    parser = argparse.ArgumentParser(prog="python -m federated.site.worker")
    parser.add_argument("--config", type=Path, required=True, help="WorkerSettings as JSON")
    config = parser.parse_args(arguments).config
    from federated.site.app import SiteApplication
    from federated.site.settings import WorkerSettings
    from governance.files import require_private

    try:
        settings = WorkerSettings.load(config)
        require_private(settings.site_zone.secrets)
        log_to(settings.log_file)
        application = SiteApplication.open(settings)
        Worker(RuntimeConnection(settings.endpoint(), "cloister-worker"), application).run()
    except CloisterError as error:
        print(f"worker: {error}", file=sys.stderr)
        return exit_code(error)
    return 0


def log_to(path: Path) -> None:
    """Send this process's log to a file that the site alone can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    logging.basicConfig(filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
