"""The desk: spans in, results out. Arrays and frames only; no I/O, no clock, no printing."""

from analysis.columns import INPUT, LINK_INPUT
from analysis.neighbours import Neighbours
from analysis.passes import Compared, Prepared, analyse, compare, prepare
from analysis.results import Results, empty, join, only, set_aside
from analysis.rules import NoRules, Peers, Rules, Walk

__all__ = [
    "INPUT",
    "LINK_INPUT",
    "Compared",
    "Neighbours",
    "NoRules",
    "Peers",
    "Prepared",
    "Results",
    "Rules",
    "Walk",
    "analyse",
    "compare",
    "empty",
    "join",
    "only",
    "prepare",
    "set_aside",
]
