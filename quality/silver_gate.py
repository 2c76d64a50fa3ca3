"""The gate on a silver table: ids unique, required elements there, codes in their value sets, references arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.fhir import BINDINGS, Element, complex_type
from contracts.zone import SiteZone
from lake.reader import read_arrow
from quality.gate import Expectation, GateResult, run_gate
from quality.limits import limit

if TYPE_CHECKING:
    import pandas as pd


def silver_gate(zone: SiteZone, resource: str) -> GateResult:
    """Judge the silver table of a resource type. An empty table passes: not every site has every type.

    Raises:
        UsageError: silver was not built yet.
    """
    name = f"silver_fhir__{resource.lower()}"
    required, bound = _required(resource), _bound(resource)
    wanted = {"id", "_pending", *(column for columns in required.values() for column in columns), *bound}
    rows = read_arrow(zone.table(name), sorted(wanted))
    if not rows.num_rows:
        return GateResult(name, True, ())
    return run_gate(name, _frame(rows, required, bound), _suite(required, bound))


def _suite(required: dict[str, list[str]], bound: dict[str, str]) -> list[Expectation]:
    key, must, codes, pending = (limit("silver", name) for name in ("id", "required", "codes", "pending"))
    return [
        Expectation("id", "not_null", key.severity, ("id",)),
        Expectation("id_unique", "unique", key.severity, ("id",)),
        *(Expectation(f"required:{name}", "mean", must.severity, (f"has_{name}",), min=1.0) for name in required),
        *(Expectation(f"code:{name}", "mean", codes.severity, (f"in_{name}",), min=codes.min) for name in bound),
        Expectation("pending", "mean", pending.severity, ("is_pending",), max=pending.max),
    ]


def _frame(rows: pa.Table, required: dict[str, list[str]], bound: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    columns = {
        "id": rows["id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False),
        "is_pending": _has_entries(rows["_pending"]),
    }
    for name, choices in required.items():
        columns[f"has_{name}"] = np.maximum.reduce([_is_there(rows[column]) for column in choices])
    for name, binding in bound.items():
        codes = pa.array(sorted(BINDINGS[binding].codes))
        is_in = pc.or_(pc.is_null(rows[name]), pc.is_in(rows[name], value_set=codes))
        columns[f"in_{name}"] = is_in.to_numpy().astype(np.int8)
    return pd.DataFrame(columns)


def _elements(resource: str) -> list[Element]:
    return [e for e in complex_type(resource).elements.values() if not e.is_identifying]


def _required(resource: str) -> dict[str, list[str]]:
    """Elements with minimum 1 by name; a choice with all its typed columns."""
    found: dict[str, list[str]] = {}
    for element in _elements(resource):
        if element.minimum:
            found.setdefault(element.choice or element.name, []).append(element.name)
    return found


def _bound(resource: str) -> dict[str, str]:
    """Elements of type code with a required value set, and its name."""
    return {e.name: e.binding for e in _elements(resource) if e.binding and e.type == "code" and not e.is_list}


def _is_there(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return _has_entries(column)
    return pc.is_valid(column).to_numpy().astype(np.int8)


def _has_entries(column: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(pc.greater(pc.list_value_length(column), 0), False).to_numpy().astype(np.int8)
