"""Which partitions a write replaces or a read takes: partition columns and the values wanted of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Where = Mapping[str, Sequence[str]]
"""Partition column -> values. All columns must match: ``{"_delivery_date": ["2026-11-20", "2026-11-21"]}``."""


def check_where(where: Where, partition_by: Sequence[str], place: str) -> None:
    """Raise ValueError unless ``where`` names partition columns and at least one value of each."""
    unknown = [name for name in where if name not in partition_by]
    if unknown or not where:
        named = ", ".join(unknown) or "nothing"
        raise ValueError(f"table '{place}': where names {named}; its partition columns are {list(partition_by)}")
    for name, values in where.items():
        if isinstance(values, str) or not values or not all(isinstance(value, str) for value in values):
            raise ValueError(f"table '{place}': where needs a list of one or more strings for {name}")


def predicate(where: Where) -> str:
    """The SQL text that all three writers understand, values quoted."""
    return " AND ".join(f"`{name}` IN ({', '.join(map(_quote, values))})" for name, values in where.items())


def filters(where: Where | None) -> list[tuple[str, str, list[str]]] | None:
    """The same as the reader's partition filters; None takes everything."""
    return None if where is None else [(name, "in", list(values)) for name, values in where.items()]


def _quote(value: str) -> str:
    if "\\" in value or "'" in value:
        raise ValueError("a partition value with a quote or a backslash cannot be named in a write")
    return f"'{value}'"
