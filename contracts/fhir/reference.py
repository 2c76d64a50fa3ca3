"""The key of a literal reference: what getReferenceKey gives and getResourceKey matches."""

from __future__ import annotations

import re

REFERENCE_PATTERN = r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?$"
"""Type (group 1) and id (group 2) of ``Patient/p1``, absolute or relative, with or without a version.

``urn:`` and contained (``#``) references have no key. In the dialect that both engines and Python read alike.
Source: FHIR R4 references.html, regular expression of RESTful URLs."""

REFERENCE = re.compile(REFERENCE_PATTERN)
