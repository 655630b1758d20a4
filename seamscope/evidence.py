"""What the rules look at, read from a store: the latest requests of a condition and all there is to them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from analysis.findings import Evidence
    from seamscope.store import Reader

    Essential = Callable[..., bool | None]
    """Says of a call known under some names whether a page can live without it; None where nobody said."""

MOST_REQUESTS: Final = 5_000
MOST_SPANS: Final = 50_000
"""The latest requests that are looked at, and their spans at most; one of more spans than that is left out."""

AT_ONCE: Final = 2
"""Statements that a process puts to its own store at a time: nothing else is done while findings are drawn."""

_ORDERS: Final = {
    "traces": ("request_no",),
    "hops": ("request_no", "start_ns", "client_span_id"),
    "ends": ("request_no", "horizon"),
    "path": ("request_no", "start_ns", "end_ns", "span_id", "owner", "cause"),
    "warnings": ("request_no", "trace_id", "span_id"),
    "spans": ("span_no",),
}
"""What is read, by the name of the frame, and the order of its rows: of things alike the first may be taken."""
_OF_REQUESTS: Final = tuple(name for name in _ORDERS if name != "spans")
_SAID: Final = ("cache_scope", "cache_control", "flag_outcome")
_NOTHING_SAID: Final = pl.DataFrame(schema={"span_no": pl.Int64, **dict.fromkeys(_SAID, pl.String)})
_NEVER: Final = -1


def latest(reader: Reader, where: str, params: Mapping[str, object]) -> pl.DataFrame:
    """Give the latest requests of a condition over `base.requests r`, up to so many and so many spans."""
    bounds = {"most": MOST_REQUESTS, "most_spans": MOST_SPANS}
    return reader.query(statement("findings/requests", where=where), {**params, **bounds})


def gathered(
    reader: Reader,
    requests: pl.DataFrame,
    chosen: str,
    params: Mapping[str, object],
    essential: Essential | None = None,
) -> Evidence:
    """Read what there is to some requests; `chosen` is our own condition over `base.requests r` that holds for them."""
    from analysis.findings import gather

    return gather({**_frames(reader, chosen, params, 1), "requests": requests}, essential or _unsaid)


def read(reader: Reader, essential: Essential | None = None) -> Evidence | None:
    """Read what the rules look at, of the latest requests; None where there is none."""
    return Latest().evidence(reader, essential)


class Latest:
    """The latest requests of a store, and what was read of them: the next time only of new ones it is read.

    A request that was analysed anew has another number, so what is kept of a number stays true.
    """

    def __init__(self) -> None:
        self._kept: dict[str, pl.DataFrame] = {}

    def evidence(self, reader: Reader, essential: Essential | None = None) -> Evidence | None:
        """Give what the rules look at, of the latest requests; None where there is none."""
        from analysis.findings import gather

        requests = latest(reader, "true", {})
        if not requests.height:
            self._kept = {}
            return None
        since = self._since(requests)
        kept = self._still(requests) if since != _NEVER else {}
        self._kept = {}  # should reading fail, it is begun anew
        fresh = _frames(reader, statement("findings/chosen"), _upto(requests, since), AT_ONCE)
        self._kept = {**(_together(kept, fresh) if kept else fresh), "requests": requests}
        return gather(self._kept, essential or _unsaid)

    def _since(self, requests: pl.DataFrame) -> int:
        """Give the last number of which all is kept: those that are not have later ones; else none is."""
        if not self._kept:
            return _NEVER
        before = self._kept["requests"].get_column("request_no")
        last = before.max()
        new = requests.filter(~pl.col("request_no").is_in(before.implode())).get_column("request_no").min()
        return last if isinstance(last, int) and (not isinstance(new, int) or new > last) else _NEVER

    def _still(self, requests: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Give what is kept of those that are still among the latest."""
        kept = {name: _among(self._kept[name], requests, "request_no") for name in _OF_REQUESTS}
        return {**kept, "spans": _among(self._kept["spans"], kept["traces"], "trace_id")}


def _among(frame: pl.DataFrame, known: pl.DataFrame, column: str) -> pl.DataFrame:
    return frame.join(known, on=column, how="semi", maintain_order="left")


def _upto(requests: pl.DataFrame, since: int) -> dict[str, Any]:
    """Give the bounds of `findings/chosen`: the latest requests, of later numbers than one."""
    last = requests.row(-1, named=True)
    return {
        "since_ns": last["start_ns"],
        "last_hi": last["trace_hi"],
        "last_lo": last["trace_lo"],
        "last_entry": last["entry_span_id"],
        "most_spans": MOST_SPANS,
        "since_no": since,
        "last_no": requests.get_column("request_no").max(),
    }


def _together(kept: Mapping[str, pl.DataFrame], fresh: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Add what was read to what is kept; of a trace that was read again only the new rows count."""
    spans = kept["spans"].join(fresh["traces"], on="trace_id", how="anti")
    told = {name: pl.concat([kept[name], fresh[name]]) for name in _OF_REQUESTS}  # new ones have later numbers
    return {**told, "spans": _in_order("spans", pl.concat([spans, fresh["spans"]]))}


def _frames(reader: Reader, chosen: str, params: Mapping[str, object], at_once: int) -> dict[str, pl.DataFrame]:
    """Read all frames but the requests; so many statements are put to the reader at a time."""

    def told(name: str) -> pl.DataFrame:
        return _in_order(name, reader.query(statement(f"findings/{name}", chosen=chosen), params))

    with ThreadPoolExecutor(at_once, thread_name_prefix="findings") as pool:
        spans = pool.submit(_spans, reader, chosen, params)
        frames = dict(zip(_OF_REQUESTS, pool.map(told, _OF_REQUESTS), strict=True))
        return {**frames, "spans": spans.result()}


def _spans(reader: Reader, chosen: str, params: Mapping[str, object]) -> pl.DataFrame:
    """Read the spans of the chosen requests' traces, from that part of the store where they lie."""
    spread = reader.query(statement("findings/spread", chosen=chosen), params).row(0, named=True)
    part = {**params, **spread}
    spans = _in_order("spans", reader.query(statement("findings/spans", chosen=chosen), part))
    urls = reader.query(statement("findings/urls"), part)
    said = reader.query(statement("findings/said"), part) if spread["any_said"] else _NOTHING_SAID
    return _beside(_beside(spans, urls), said)


def _beside(spans: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    return spans.join(told, on="span_no", how="left", maintain_order="left")


def _in_order(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Give rows in their order, which must not hang on how they were read."""
    first, *more = _ORDERS[name]
    if not more and frame.get_column(first).is_sorted():
        return frame
    order = frame.select(pl.arg_sort_by(*_ORDERS[name], maintain_order=True)).to_series()
    return frame if order.is_sorted() else frame[order]


def _unsaid(*_: object) -> bool | None:
    return None
