"""Names of files as text: what patterns are matched against, and what tables and reports hold."""

from __future__ import annotations

import contextlib
import os


def name_text(path: str) -> str:
    """A path of the system as text: UTF-8, else GB18030, as Chinese programs pack it; other bytes become ``\\xff``.

    Each part of the path is told by itself: a folder may be named in another way than what it holds.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return os.sep.join(_part(part) for part in path.split(os.sep))
    return path


def byte_text(path: str) -> str:
    """A path as text that tells paths of other bytes apart: what is no UTF-8 becomes ``\\xd2``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _part(name: str) -> str:
    raw = os.fsencode(name)
    for encoding in ("utf-8", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return byte_text(name)
