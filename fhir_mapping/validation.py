"""Silver held against fhir.resources (R4B models): one row of every distinct shape, and a sample by hash.

The row rules check every row natively and the specs are checked before any row is read; this is the second opinion, by
a validator that shares no code with them. The models of R4B fit R4 for the types silver has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.fhir import to_fhir_json
from contracts.zone import SiteZone
from fhir_mapping.spec.tree import struct_type
from fhir_mapping.tables import silver_table_path, silver_types
from lake.data_files import DataFile, data_files
from lake.leaves import Leaf, fillings, leaf_batches, leaves_of, shape_numbers, shape_of
from lake.together import run_together

RULE = "fhir_invalid"


@dataclass(frozen=True)
class ValidationReport:
    """What was looked at: rows of silver, distinct shapes among them, rows that the validator read."""

    rows: int
    shapes: int
    validated: int


@dataclass(frozen=True)
class _Silver:
    """The table of a type: its files, the leaves that have a value in some row, and those of them that tell shapes."""

    resource: str
    files: Sequence[DataFile]
    used: Set[Leaf]
    varying: Set[Leaf]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class _Row:
    """A row that was picked: of all of its shape in a batch that with the least id, or one of the sample.

    ``shape`` begins with the leaves of the row's file: a flag means the same in files of the same leaves.
    """

    id: str
    shape: tuple[object, ...]
    is_sampled: bool
    values: dict[str, Any]


def validate_sample(zone: SiteZone, share: float = 0.01, at_most: int = 150) -> ValidationReport:
    """Validate one row of each shape of each silver table, and about ``share`` of all (about ``at_most`` a table).

    The sample is chosen by a hash of the id: the same rows every time. No engine takes part.

    Raises:
        DataError: some are invalid; names types, paths and kinds of fault with counts, no values.
    """
    tables = [_open(zone, resource) for resource in silver_types(zone)]
    # The longest first: begun last, it would leave all cores but one idle.
    parts = sorted(((table, file) for table in tables for file in table.files), key=lambda part: -part[1].rows)
    picked: dict[str, list[_Row]] = {table.resource: [] for table in tables}
    jobs = (partial(_pick, table, file, min(share, at_most / table.rows)) for table, file in parts)
    for (table, _), rows in zip(parts, run_together(jobs), strict=True):
        picked[table.resource] += rows
    shapes, validated = 0, 0
    faults: Counter[str] = Counter()
    for resource, rows in picked.items():
        representatives = _representatives(rows)
        chosen = [row for row in rows if row.is_sampled or representatives[row.shape] == row.id]
        bodies = (to_fhir_json(resource, row.values, number=Decimal) for row in chosen)
        faults.update(chain.from_iterable(_faults(resource, body) for body in bodies))
        shapes, validated = shapes + len(representatives), validated + len(chosen)
    if faults:
        told = "; ".join(f"{path}: {count}" for path, count in sorted(faults.items()))
        raise DataError(f"{RULE}: {sum(faults.values())} faults in {validated} resources of site '{zone.site}': {told}")
    return ValidationReport(sum(table.rows for table in tables), shapes, validated)


def _open(zone: SiteZone, resource: str) -> _Silver:
    """A silver table; leaves that the footers show to be filled alike in all rows tell no shapes apart."""
    files, names = data_files(silver_table_path(zone, resource)), set(struct_type(resource).names)
    filled = {leaf: filling for leaf, filling in fillings(files).items() if leaf[0] in names}
    used = {leaf for leaf, filling in filled.items() if not filling.is_empty}
    return _Silver(resource, files, used, {leaf for leaf in used if not filled[leaf].is_uniform})


def _pick(table: _Silver, file: DataFile, share: float) -> list[_Row]:
    """Rows of a file: the sample, and from each batch one row of each shape. Only they become Python objects."""
    found = []
    there = leaves_of(file) & table.used
    for batch in leaf_batches(file, table.used):
        ids = batch.column("id")
        shape = shape_of(batch, table.varying)
        sampled = _sampled(ids, share)
        places = pc.indices_nonzero(pc.or_(sampled, pc.is_in(ids, _least(ids, shape_numbers(shape, len(batch))))))
        told = zip(*(flag[places.to_numpy()].tolist() for flag in shape), strict=True) if shape else [()] * len(places)
        values = batch.take(places).to_pylist()
        for flags, is_sampled, row in zip(told, sampled.take(places).to_pylist(), values, strict=True):
            found.append(_Row(row["id"], (there, *flags), is_sampled, row))
    return found


def _least(ids: pa.Array, shapes: np.ndarray) -> pa.Array:
    """The least id of each shape."""
    found = pa.table({"shape": shapes, "id": ids}).group_by("shape").aggregate([("id", "min")])
    return found.column("id_min")


def _representatives(rows: Iterable[_Row]) -> dict[tuple[object, ...], str]:
    """The least id of each shape."""
    found: dict[tuple[object, ...], str] = {}
    for row in rows:
        found[row.shape] = min(row.id, found.get(row.shape, row.id))
    return found


def _sampled(ids: pa.Array, share: float) -> pa.Array:
    """Ids are hex digits of a keyed hash, so their first digits are a uniform draw."""
    if share >= 1:
        return pa.repeat(True, len(ids))
    return pc.less(pc.utf8_slice_codeunits(ids, 0, 6), f"{int(share * 0x1000000):06x}")


def _faults(resource: str, body: dict) -> list[str]:
    """``Type.path (kind of fault)`` for each fault of a resource."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(resource).model_validate(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
        return [f"{'.'.join([resource, *(str(part) for part in fault['loc'])])} ({fault['type']})" for fault in found]
    return []
