"""The bridge between stored results and the rules over them: what a person should act on, stored beside the results.

Findings are drawn from the latest requests of a store, whatever order they came in, and replace those of the look
before: a pattern over many requests is not to be had from a few.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Final

import polars as pl

from seamscope.evidence import Latest
from seamscope.schema import words

if TYPE_CHECKING:
    from seamscope.store import Store

_log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 15.0
PATIENCE: Final = 20
"""While traffic comes in, findings are drawn anew after so long a pause, and with at most so small a part of a core."""


class Conclusions:
    """Keeps a store's findings up with its results, without taking more than a small part of a core."""

    def __init__(self, store: Store, rules: object = None) -> None:
        self._store = store
        self._rules = rules
        self._latest = Latest()
        self._news = 0
        self._not_before = 0.0

    def after(self, requests: int, *, at_once: bool = False) -> None:
        """Take note of analysed requests, and find anew if it is time; what fails is logged, old findings stay."""
        self._news += requests
        if not self._news or (not at_once and time.monotonic() < self._not_before):
            return
        began, used = time.monotonic(), time.process_time()
        try:
            refresh(self._store, self._rules, self._latest)
        except Exception:  # noqa: BLE001 - findings are a comment on the results; these must go on
            _log.exception("findings could not be drawn")
        self._news = 0
        took = time.monotonic() - began
        # what else this process did meanwhile is in it, so that it is no less than what this took
        spent = min(time.process_time() - used, took * (os.cpu_count() or 1))
        self._not_before = began + took + max(PAUSE_SECONDS, PATIENCE * spent)


def refresh(store: Store, rules: object = None, latest: Latest | None = None) -> int:
    """Find anew and store what was found; gives the number of findings.

    `rules` is the operator's word: `is_essential` says which calls a page can live without. `latest` is what was read
    before.
    """
    from analysis.findings import find

    evidence = (latest or Latest()).evidence(store, getattr(rules, "is_essential", None))
    if evidence is None:
        return 0
    findings, requests = find(evidence)
    code = {name: number for number, name in enumerate(words.FINDINGS)}
    store.write_findings(
        findings.with_columns(pl.col("rule").replace_strict(code, return_dtype=pl.UInt8)),
        requests,
    )
    return findings.height
