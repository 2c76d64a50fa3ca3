"""A text column with a person's values hidden, as a mapping hides them."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from fhir_mapping.spec.text import known_value, mask_values, shortest_of


def hidden(text: Column, values: Sequence[Column]) -> Column:
    """``text`` in which ``values`` and everybody's numbers became ``***``."""
    return mask_values(text, F.lower(text), [known_value(value) for value in values], shortest_of(values))
