"""The desk: spans in, results out. Arrays and frames only; no I/O, no clock, no printing."""

from analysis.columns import INPUT, LINK_INPUT
from analysis.passes import Results, analyse, join, only
from analysis.rules import NoRules, Peers, Rules, Walk

__all__ = ["INPUT", "LINK_INPUT", "NoRules", "Peers", "Results", "Rules", "Walk", "analyse", "join", "only"]
