"""A text column with a person's values hidden, as a mapping hides them."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column

from fhir_mapping.spec.text import bare, bare_value, mask_values


def hidden(text: Column, values: Sequence[Column]) -> Column:
    """``text`` in which ``values`` and everybody's numbers became ``***``."""
    return mask_values(text, bare(text), values, [bare_value(value) for value in values])
