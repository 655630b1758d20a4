"""The desk: spans in, results out. Arrays and frames only; no I/O, no clock, no printing."""

from analysis.columns import INPUT, LINK_INPUT
from analysis.passes import Compared, Prepared, Results, analyse, compare, join, only, prepare
from analysis.rules import NoRules, Peers, Rules, Walk

__all__ = [
    "INPUT",
    "LINK_INPUT",
    "Compared",
    "NoRules",
    "Peers",
    "Prepared",
    "Results",
    "Rules",
    "Walk",
    "analyse",
    "compare",
    "join",
    "only",
    "prepare",
]
