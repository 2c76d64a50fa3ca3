"""The gate on a bronze table: rows there, keys unique, required columns filled, few unreadable records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.region import Source
from contracts.zone import SiteZone
from lake.partitions import Where
from lake.reader import read_arrow
from quality.gate import Expectation, GateResult, run_gate
from quality.limits import limit

if TYPE_CHECKING:
    import pandas as pd

_KEY = ("_delivery_date", "_file_name")


def bronze_gate(zone: SiteZone, source: Source, days: list[str] | None = None) -> GateResult:
    """Judge a source's bronze table, whole or some days of delivery.

    Raises:
        UsageError: nothing was ingested yet.
    """
    required = [column.name for column in source.column if column.required]
    where: Where | None = {"_delivery_date": days} if days else None
    name = f"bronze_{source.name}"
    rows = read_arrow(zone.table(name), [*_KEY, "_record_no", "_error", *required], where)
    return run_gate(name, _frame(rows, required, source.null_values), _suite(rows.num_rows, required))


def _suite(rows: int, required: list[str]) -> list[Expectation]:
    count, bad = limit("bronze", "rows"), limit("bronze", "bad_records")
    suite = [Expectation("rows", "row_count", count.severity, min=count.min)]
    if not rows:
        return suite
    return [
        *suite,
        Expectation("key", "unique", limit("bronze", "key").severity, ("file", "record_no")),
        Expectation("bad_records", "mean", bad.severity, ("is_bad",), max=bad.max),
        *(
            Expectation(f"filled:{name}", "some", limit("bronze", "filled").severity, (f"has_{name}",))
            for name in required
        ),
    ]


def _frame(rows: pa.Table, required: list[str], null_values: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    file = pc.binary_join_element_wise(*(rows[name] for name in _KEY), "/").combine_chunks().dictionary_encode()
    flags = {f"has_{name}": _is_filled(rows[name], null_values) for name in required}
    columns = {
        "file": file.indices.to_numpy(zero_copy_only=False),
        "record_no": rows["_record_no"].to_numpy(),
        "is_bad": pc.is_valid(rows["_error"]).to_numpy().astype(np.int8),
    }
    return pd.DataFrame(columns | flags)


def _is_filled(column: pa.ChunkedArray, null_values: Sequence[str]) -> np.ndarray:
    """1 where a text is more than white space and none of the source's words for no value."""
    trimmed = pc.fill_null(pc.utf8_trim_whitespace(column), "")
    return pc.invert(pc.is_in(trimmed, value_set=pa.array(["", *null_values]))).to_numpy().astype(np.int8)
