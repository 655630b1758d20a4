"""OTLP/JSON bodies → cells of the same shape as `collector.decoding.wire` makes.

Two passes as there: one checks the grammar to the last byte and counts, the other fills. Ids are hexadecimal in any
case, enumerations are numbers or words (`2`, `"SPAN_KIND_SERVER"`, `"server"`), 64-bit numbers are strings or
numbers. Unknown names are passed over, a name given twice in an object counts twice for lists and else with its last
value. A value of the wrong shape is an oddity and reads as not sent, except where a span needs it: a broken id or
time, or a span that is no object, is a fault of that span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collector.decoding.json_kernels import DEPTH, ITEMS, OK, SYNTAX, walk_all
from collector.decoding.json_values import TIME, settle
from collector.decoding.layout import J_BYTES, J_ID, J_TEXT
from collector.decoding.wire import Cells, WireLimits, joined, room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from collector.decoding.layout import Layout

    Numbers = NDArray[np.int64]

_TIMES: Final = ("start", "end", "time")
_WORDS: Final = {
    SYNTAX: "JSON is malformed or cut off at byte {at}",
    DEPTH: "JSON is nested too deep at byte {at}",
    ITEMS: "more items than one request may hold, at byte {at}",
}


def _fault_columns(layout: Layout) -> Numbers:
    """Return per table its column of faults, -1 where it has none."""
    found = [layout.columns[name].index("faults") if "faults" in layout.columns[name] else -1 for name in layout.tables]
    return np.array(found, np.int64)


def _bodies(cells: Cells, table: str, rows: Numbers) -> Numbers:
    """Return the body of each row of a table: its parent's parent's … parent, whose name the first column has."""
    while table != "body":
        parent = cells.layout.columns[table][0]
        rows = cells.table(table)[rows, 0]
        table = {"body": "body", "owner": table.removesuffix("_attributes") + "s"}.get(parent, parent + "s")
    return rows


def _forms(layout: Layout, table: int) -> Numbers:
    """Return the form of each column of a table, as `settle` takes them: texts are what they are already."""
    columns = layout.columns[layout.tables[table]]
    forms = [layout.forms.get((table, column), -1) for column in range(len(columns))]
    kept = [-1 if form in {J_TEXT, J_ID, J_BYTES} else form for form in forms]
    return np.array([TIME if name in _TIMES else form for name, form in zip(columns, kept, strict=True)], np.int64)


def _settle(cells: Cells, faults: Numbers) -> None:
    """Turn references to values as JSON writes them into what `Cells` promise."""
    for at, table in enumerate(cells.layout.tables):
        rows = cells.table(table)
        bad = np.zeros(len(rows), np.bool_)
        if settle(cells.data, rows, _forms(cells.layout, at), faults[at], bad):
            np.add.at(cells.oddities, _bodies(cells, table, np.flatnonzero(bad)), 1)


def read_json(bodies: Sequence[bytes], layout: Layout, limits: WireLimits | None = None) -> Cells:
    """Read request bodies; together they are less than 256 MiB. Never raises for what a body holds."""
    data, bounds = joined(bodies)
    faults = _fault_columns(layout)
    verdicts = np.zeros((len(bodies), 3), np.int64)
    rows = np.zeros((len(bodies), len(layout.tables)), np.int64)

    def walk(good: NDArray[np.bool_], cells: Numbers, bases: Numbers, counts: Numbers, limit: Numbers) -> None:
        described = (layout.operations, layout.names, len(cells) > 0)
        walk_all(data, bounds, good, *described, cells, bases, faults, counts, limit, verdicts)

    most = (limits or WireLimits()).rows(layout.tables)
    walk(np.ones(len(bodies), np.bool_), np.zeros(0, np.int64), layout.widths, rows, most)
    errors = tuple(_WORDS[code].format(at=at) if code else None for code, at, _ in verdicts.tolist())
    good = verdicts[:, 0] == OK
    oddities = np.where(good, verdicts[:, 2], 0)
    filled, bases, totals = room(layout, rows[good])
    if totals.any():
        walk(good, filled, bases, np.zeros((1, len(totals)), np.int64), totals)
    cells = Cells(layout, data, filled, bases, errors, oddities, from_json=True)
    _settle(cells, faults)
    return cells
