"""Every error that Cloister raises on purpose, as one tree, and what each means to a shell and to HTTP.

    CloisterError                     1   500   something went wrong that has a name
    |- UsageError                     2   400   wrong use: no such region, missing data, port taken, missing column
    |  |- BusyError                   2   409   something else is at work there: wait for it
    |  `- EngineUnavailableError      2   503   the chosen engine cannot start here (no Java, no jars)
    |- DataError                      3   422   what a source delivered, or what a table holds, is not as declared
    |  |- SourceContractError         3   422   a file does not keep its source's contract (header, encoding)
    |  |- SchemaDriftError            3   422   a write would change a table's declared schema
    |  |- SpecError                   3   422   a mapping spec, view or feature spec is wrong
    |  `- ReconciliationError         3   422   records in and dispositions do not add up
    |- PrivacyError                   4   403   a privacy rule would be broken; nothing is released
    |  |- QuorumError                 4   403   fewer sites than the roster's quorum
    |  |- RefusedError                4   403   a message was refused; carries an enumerated RefusalCode
    |  |- TagError                    4   403   an opened total is not the true total of the roster's terms
    |  |- RangeError                  4   403   a sum program's declared range does not fit the plain modulus
    |  |- ApprovalError               4   403   no live approval covers what was asked
    |  |- EgressError                 4   403   a site tried to send what is not on the closed list
    |  `- CredentialError             4   401   a token or certificate is absent, expired or foreign
    `- IntegrityError                 5   409   something signed or chained was altered
       |- AuditChainError             5   409   an audit chain is broken; names the first broken entry
       `- ModelSignatureError         5   409   a model is unsigned or altered

A message says what was found, what was expected and the next step; it never holds a value from a patient row.
"""

from __future__ import annotations


class CloisterError(Exception):
    """Root of the tree. ``exit_code`` is what the command line returns, ``http_status`` what a service answers."""

    exit_code = 1
    http_status = 500


class UsageError(CloisterError):
    """Wrong use: no such region, missing data path, port taken, a missing input column."""

    exit_code = 2
    http_status = 400


class BusyError(UsageError):
    """Something else is at work in the same work directory or zone."""

    http_status = 409


class EngineUnavailableError(UsageError):
    """The chosen engine cannot start on this machine."""

    http_status = 503


class DataError(CloisterError):
    """What a source delivered, or what a table holds, is not as declared."""

    exit_code = 3
    http_status = 422


class SourceContractError(DataError):
    """A file does not keep its source's contract: header, encoding, format."""


class SchemaDriftError(DataError):
    """A write would change the declared schema of a table."""


class SpecError(DataError):
    """A mapping spec, view, feature spec or task is wrong; the message names file and key."""


class ReconciliationError(DataError):
    """Records in and the five dispositions do not add up."""


class PrivacyError(CloisterError):
    """A privacy rule would be broken. Nothing is released."""

    exit_code = 4
    http_status = 403


class QuorumError(PrivacyError):
    """Fewer sites than the quorum of the roster."""


class RefusedError(PrivacyError):
    """A message was refused. ``code`` is one of ``contracts.messages.RefusalCode``."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


class TagError(PrivacyError):
    """An opened total is not the true total of the terms of the roster."""


class RangeError(PrivacyError):
    """A sum program declares a range that does not fit the plain modulus."""


class ApprovalError(PrivacyError):
    """No live approval covers what was asked."""


class EgressError(PrivacyError):
    """A site tried to send something that is not on the closed list of messages."""


class CredentialError(PrivacyError):
    """A token or certificate is absent, expired or foreign."""

    http_status = 401


class IntegrityError(CloisterError):
    """Something signed or chained was altered."""

    exit_code = 5
    http_status = 409


class AuditChainError(IntegrityError):
    """An audit chain is broken; the message names the first broken entry."""


class ModelSignatureError(IntegrityError):
    """A model is unsigned, altered, or signed by a key that is not trusted here."""


def exit_code(error: BaseException) -> int:
    """Exit code of the command line for an error: 1 for any that is not ours."""
    return error.exit_code if isinstance(error, CloisterError) else 1


def http_status(error: BaseException) -> int:
    """HTTP status for an error: 500 for any that is not ours."""
    return error.http_status if isinstance(error, CloisterError) else 500
