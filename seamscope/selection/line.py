"""The filter line taken apart: words, quotes and operators; `seamscope.selection.predicate` gives them meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from seamscope.errors import UsageError

TEXT: Final = "text"
"""The key of a bare word."""
EXACT: Final = "=="
"""The operator of a value to the letter."""

_KEY: Final = re.compile(r"(-?)([A-Za-z_][A-Za-z0-9_.\-]*)(==|(?:!=|>=|<=|:|=|>|<)(?!//))")
_QUOTES: Final = "\"'"


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a line: `-key:value` is negated, `!=` too; a bare word has the key `text`."""

    key: str
    operator: str
    """`: = == > >= < <=`."""
    value: str
    negated: bool = False


def parse(line: str) -> list[Term]:
    """Take a filter line apart; a quote that is not closed and a key without a value are usage errors."""
    terms: list[Term] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        term, at = _term(line, at)
        terms.append(term)
    return terms


def _term(line: str, at: int) -> tuple[Term, int]:
    found = _KEY.match(line, at)
    if found is None or line[at] in _QUOTES:
        negated = line[at] == "-" and at + 1 < len(line) and not line[at + 1].isspace()
        value, end = _value(line, at + negated)
        return Term(TEXT, ":", value, negated), end
    minus, key, operator = found.groups()
    value, end = _value(line, found.end())
    if not value and not (operator == EXACT and end > found.end()):
        raise UsageError(f"filter: {found.group()!r} has no value", f"write {key}{operator}VALUE without a space")
    negated = bool(minus) != (operator == "!=")
    return Term(key, "=" if operator == "!=" else operator, value, negated), end


def _value(line: str, at: int) -> tuple[str, int]:
    if at < len(line) and line[at] in _QUOTES:
        return _quoted(line, at)
    end = at
    while end < len(line) and not line[end].isspace():
        end += 1
    return line[at:end], end


def _quoted(line: str, at: int) -> tuple[str, int]:
    quote, pieces, end = line[at], [], at + 1
    while end < len(line):
        if line[end] == "\\" and end + 1 < len(line) and line[end + 1] in f"{quote}\\":
            pieces.append(line[end + 1])
            end += 2
        elif line[end] == quote:
            return "".join(pieces), end + 1
        else:
            pieces.append(line[end])
            end += 1
    raise UsageError(f"filter: the quote {quote} at {line[at : at + 12]!r} is not closed")
