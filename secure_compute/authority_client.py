"""The coordinator's connection to the key authority: HTTPS to one pinned root, a bearer token, bytes in and out."""

from __future__ import annotations

import itertools
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import httpx

from contracts.errors import CloisterError, CredentialError, RefusedError
from contracts.messages import CreateRun, KeyBatch, RefusalCode, RunDescriptor, SignModel
from contracts.wire import canonical, pack, parts_digest
from governance.roster import Roster
from governance.signing import open_message
from secure_compute.head_memory import HeadMemory

_NOTHING = parts_digest(())
_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Between attempts; the last one from then on."""

_AWAY = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE)


class AuthorityClient:
    """Calls the authority's service. Every method raises RefusedError with the authority's code when it declines,
    CredentialError when the token is not its own, CloisterError when it stays away. While it is away (restarted, say)
    each request is sent again: it answers the same bytes with the same bytes. ``create_run`` alone makes another run
    then; the one that nobody knows of is never used, and its keys go with it."""

    def __init__(
        self,
        url: str,
        ca: Path,
        token: str,
        roster: Roster,
        memory_file: Path,
        *,
        timeout_seconds: float = 120.0,
        patience_seconds: float = 60.0,
    ) -> None:
        """
        Args:
            url: such as ``https://127.0.0.1:9443``.
            ca: PEM of the region's root; nothing else is trusted.
            memory_file: remembers the authority's last audit head between runs.
            timeout_seconds: longest wait for one answer.
            patience_seconds: how long a request is sent again while the authority does not answer, or answers 502 or
                503. A certificate of another root is no reason to wait.
        """
        self._roster = roster
        self._patience = patience_seconds
        self._memory = HeadMemory(memory_file)
        context = ssl.create_default_context(cafile=str(ca))
        headers = {"Authorization": f"Bearer {token}"}
        # Loopback and intranet: a proxy of the environment must never see an opening.
        self._http = httpx.Client(
            base_url=url, verify=context, headers=headers, timeout=timeout_seconds, trust_env=False
        )

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Wait until the service answers. Raises CloisterError when it does not in time."""
        self._call("GET", "/v1/health", patience=seconds)

    def create_run(self, task: str, program: str) -> bytes:
        """Ask for a run of a program; the authority looks for a live approval. Returns the signed RunDescriptor."""
        shown = self._memory.last
        request = CreateRun(content=_NOTHING, task=task, program=program, roster=self._roster.digest, remembered=shown)
        data = self._call("POST", "/v1/runs", pack(canonical(request)))
        descriptor, _ = open_message(data, RunDescriptor, self._roster.authority)
        self._memory.require_fresh(descriptor.head, shown)
        return data

    def register_keys(self, run: str, keys: Mapping[str, bytes]) -> dict[str, bytes]:
        """Hand over sites' KeyMessages; returns each site's SealedSeed. May be called again for late sites."""
        sites = tuple(sorted(keys))
        parts = [keys[site] for site in sites]
        request = KeyBatch(content=parts_digest(parts), run=run, sites=sites)
        data = self._call("POST", f"/v1/runs/{run}/keys", pack(canonical(request), b"", parts))
        answer, sealed = open_message(data, KeyBatch, None)
        if answer.sites != sites or len(sealed) != len(sites):
            raise RefusedError(RefusalCode.BAD_MESSAGE, "the authority answered for other sites")
        return {site: bytes(part) for site, part in zip(sites, sealed, strict=True)}

    def open(self, run: str, request: bytes) -> bytes:
        """Ask to open a sum (``Aggregator.request``); returns the signed total."""
        return self._call("POST", f"/v1/runs/{run}/open", request)

    def is_open(self, run: str) -> bool:
        """Whether sums of a run may still be opened. Raises RefusedError unknown_run."""
        return self._call("GET", f"/v1/runs/{run}/status") == b"open"

    def close_run(self, run: str) -> None:
        """End a run: its keys are destroyed. Nothing can be opened after it."""
        self._call("POST", f"/v1/runs/{run}/close")

    def sign_model(self, run: str, card: str) -> bytes:
        """Ask for the release signature of a model (digest of its card) of a closed run; a signed record as JSON."""
        request = SignModel(content=_NOTHING, run=run, card=card)
        return self._call("POST", f"/v1/runs/{run}/model", pack(canonical(request)))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> AuthorityClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def _call(self, method: str, path: str, body: bytes = b"", *, patience: float | None = None) -> bytes:
        response = self._send(method, path, body, self._patience if patience is None else patience)
        if response.status_code == 401:
            raise CredentialError("the key authority does not know this coordinator's token")
        if response.status_code == 200:
            return response.content
        raise _refusal(response)

    def _send(self, method: str, path: str, body: bytes, patience: float) -> httpx.Response:
        """Send a request until it is answered; raises CloisterError when patience is over."""
        deadline = time.monotonic() + patience
        pauses = itertools.chain(_PAUSES_SECONDS, itertools.repeat(_PAUSES_SECONDS[-1]))
        while True:
            try:
                response = self._http.request(method, path, content=body)
                if response.status_code not in _AWAY or time.monotonic() > deadline:
                    return response
            except httpx.HTTPError as error:
                if _is_foreign(error) or time.monotonic() > deadline:
                    raise CloisterError(
                        f"the key authority at {self._http.base_url} does not answer ({type(error).__name__}): start "
                        "it first"
                    ) from error
            time.sleep(next(pauses))


def _is_foreign(error: BaseException | None) -> bool:
    """Whether the server's certificate is not of the region's root."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _refusal(response: httpx.Response) -> CloisterError:
    try:
        body = response.json()
        return RefusedError(RefusalCode(body["code"]), str(body["detail"]))
    except (ValueError, KeyError, TypeError):
        return CloisterError(f"the key authority answered {response.status_code}")
