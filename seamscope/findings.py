"""The bridge between stored results and the rules over them: what a person should act on, stored beside the results.

Findings are drawn from the latest requests of a store, whatever order they came in, and replace those of the look
before: a pattern over many requests is not to be had from a few.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seamscope.schema import words
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from analysis.findings import Evidence
    from seamscope.store import Reader, Store

_log = logging.getLogger(__name__)

MOST_REQUESTS: Final = 5_000
MOST_SPANS: Final = 50_000
"""The latest requests that are looked at, and their spans at most; one of more spans than that is left out."""

AT_ONCE: Final = 2
"""Statements that a process puts to its own store at a time: nothing else is done while findings are drawn."""

_SAID: Final = ("cache_scope", "cache_control", "flag_outcome")

PAUSE_SECONDS: Final = 15.0
PATIENCE: Final = 20
"""While traffic comes in, findings are drawn anew after so long a pause, and at most so small a part of the time."""


class Conclusions:
    """Keeps a store's findings up with its results, without taking more than a small part of the time."""

    def __init__(self, store: Store, rules: object = None) -> None:
        self._store = store
        self._rules = rules
        self._news = 0
        self._not_before = 0.0

    def after(self, requests: int, *, at_once: bool = False) -> None:
        """Take note of analysed requests, and find anew if it is time; what fails is logged, old findings stay."""
        self._news += requests
        if not self._news or (not at_once and time.monotonic() < self._not_before):
            return
        began = time.monotonic()
        try:
            refresh(self._store, self._rules)
        except Exception:  # noqa: BLE001 - findings are a comment on the results; these must go on
            _log.exception("findings could not be drawn")
        self._news = 0
        took = time.monotonic() - began
        self._not_before = began + took + max(PAUSE_SECONDS, PATIENCE * took)


def refresh(store: Store, rules: object = None) -> int:
    """Find anew and store what was found; gives the number of findings.

    `rules` is the operator's word: `is_essential` says which calls a page can live without.
    """
    from analysis.findings import find

    evidence = read(store, getattr(rules, "is_essential", None) or _unsaid)
    if evidence is None:
        return 0
    findings, requests = find(evidence)
    code = {name: number for number, name in enumerate(words.FINDINGS)}
    store.write_findings(
        findings.with_columns(pl.col("rule").replace_strict(code, return_dtype=pl.UInt8)),
        requests,
    )
    return findings.height


def read(reader: Reader, essential: Callable[..., bool | None] | None = None) -> Evidence | None:
    """Read what the rules look at, of the latest requests; None where there is none."""
    requests = latest(reader, "true", {})
    if not requests.height:
        return None
    last = requests.row(-1, named=True)
    upto: dict[str, Any] = {
        "since_ns": last["start_ns"],
        "last_hi": last["trace_hi"],
        "last_lo": last["trace_lo"],
        "last_entry": last["entry_span_id"],
        "most_spans": MOST_SPANS,
    }
    return gathered(reader, requests, statement("findings/chosen"), upto, essential, AT_ONCE)


def latest(reader: Reader, where: str, params: Mapping[str, object]) -> pl.DataFrame:
    """Give the latest requests of a condition over `base.requests r`, up to so many and so many spans."""
    bounds = {"most": MOST_REQUESTS, "most_spans": MOST_SPANS}
    return reader.query(statement("findings/requests", where=where), {**params, **bounds})


def gathered(
    reader: Reader,
    requests: pl.DataFrame,
    chosen: str,
    params: Mapping[str, object],
    essential: Callable[..., bool | None] | None = None,
    at_once: int = 1,
) -> Evidence:
    """Read what there is to some requests; `chosen` is our own condition over `base.requests r` that holds for them.

    `at_once` statements are put to the reader at a time.
    """
    from analysis import findings

    def told(name: str) -> pl.DataFrame:
        return reader.query(statement(f"findings/{name}", chosen=chosen), params)

    others = findings.COLUMNS.keys() - {"requests", "spans"}
    with ThreadPoolExecutor(at_once, thread_name_prefix="findings") as pool:
        spans = pool.submit(_spans, reader, chosen, params)
        frames = dict(zip(others, pool.map(told, others), strict=True))
    return findings.gather({**frames, "requests": requests, "spans": spans.result()}, essential or _unsaid)


def _spans(reader: Reader, chosen: str, params: Mapping[str, object]) -> pl.DataFrame:
    """Read the spans of the chosen requests' traces, from that part of the store where they lie."""
    part = {**params, **reader.query(statement("findings/spread", chosen=chosen), params).row(0, named=True)}
    spans = reader.query(statement("findings/spans", chosen=chosen), part).sort("span_no")  # ties are told by order
    urls = reader.query(statement("findings/urls"), part)
    return _beside(_beside(spans, urls), _said(reader, part))


def _said(reader: Reader, part: Mapping[str, object]) -> pl.DataFrame:
    """Read what spans tell by attributes that have no column, if there are any."""
    if reader.query(statement("findings/any_said")).item():
        return reader.query(statement("findings/said"), part)
    return pl.DataFrame(schema={"span_no": pl.Int64, **dict.fromkeys(_SAID, pl.String)})


def _beside(spans: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    return spans.join(told, on="span_no", how="left", maintain_order="left")


def _unsaid(*_: object) -> bool | None:
    return None
