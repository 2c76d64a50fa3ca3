"""Refusals as a FHIR OperationOutcome: what is wrong and what to do, never what was sent."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import JSONResponse


class CallError(Exception):
    """A call that cannot be answered.

    Attributes:
        status: HTTP status.
        code: of the FHIR value set issue-type.
        detail: for the person who wires the clinic's system; holds nothing of the request's content.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def outcome(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to a refused call."""
    issue = {"severity": "error", "code": code, "diagnostics": detail}
    return JSONResponse({"resourceType": "OperationOutcome", "issue": [issue]}, status, headers)
