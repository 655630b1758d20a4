"""What a person should act on: rules over stored results, each finding re-timed, with its proof and its next step."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from analysis.findings.calling import calling_rules
from analysis.findings.cases import settle
from analysis.findings.connections import connection_rules
from analysis.findings.context import context_rules
from analysis.findings.edge import edge_rules
from analysis.findings.evidence import COLUMNS, Evidence
from analysis.findings.gathering import gather
from analysis.findings.serial import serial_rules

if TYPE_CHECKING:
    import polars as pl

__all__ = ["COLUMNS", "RULES", "Evidence", "find", "gather"]

RULES: Final = (connection_rules, calling_rules, serial_rules, context_rules, edge_rules)


def find(evidence: Evidence) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give findings (costliest first) and their requests: `base.findings` (rules as words), `base.finding_requests`."""
    return settle(evidence, chain.from_iterable(rules(evidence) for rules in RULES))
