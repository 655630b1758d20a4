"""Completion of the filter line: keys, the fixed words of a key, and values that the list has shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seamscope.results import RequestRow

_WORD: Final = re.compile(r"""(?:[^\s"']|"[^"]*"?|'[^']*'?)*$""")
_TERM: Final = re.compile(r"(-?)([A-Za-z_][A-Za-z0-9_.\-]*)(==|!=|>=|<=|:|=|>|<)(.*)", re.DOTALL)
_PLAIN: Final = re.compile(r"[^\s\"']+")
_MOST: Final = 200
"""Values of one key that are offered."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What could stand in place of the word at the end of a line."""

    head: str
    """The line before that word."""
    words: tuple[str, ...]
    """Whole replacements of that word, best first."""
    about: str = ""
    """What the key means."""

    @property
    def first(self) -> str | None:
        """The line with the best word, if there is one."""
        return self.head + self.words[0] if self.words else None


def seen_values(rows: Iterable[RequestRow]) -> dict[str, tuple[str, ...]]:
    """Give the values that rows have, by filter key."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for key, value in (
            ("route", row.route),
            ("service", row.service),
            ("environment", row.environment),
            ("place", row.place),
            ("version", row.version),
            ("method", row.method),
            ("status", None if row.status is None else str(row.status)),
            ("owner", row.dominant_owner),
        ):
            if value and safe(value) == value and len(found.setdefault(key, {})) < _MOST:
                found[key][value] = None
    return {key: tuple(sorted(values)) for key, values in found.items()}


def offer(line: str, keys: Mapping[str, tuple[str, Sequence[str]]], seen: Mapping[str, Sequence[str]]) -> Offer:
    """Give what could stand for the last word of `line`; `keys` maps a key to its meaning and its fixed words."""
    match = _WORD.search(line)
    word = match.group() if match else ""
    head = line[: len(line) - len(word)]
    term = _TERM.fullmatch(word)
    if term is None:
        return Offer(head, tuple(_keys(word, keys)))
    minus, key, operator, value = term.groups()
    about, vocabulary = keys.get(key, ("an attribute of a span or of its resource", ()))
    start = f"{minus}{key}{operator}"
    bare = value.strip("\"'").lower()
    known = [*vocabulary, *seen.get(key, ())]
    begins = [text for text in known if text.lower().startswith(bare)]
    holds = [text for text in known if bare in text.lower() and text not in begins]
    return Offer(head, tuple(start + quoted(text) for text in [*begins, *holds] if text.lower() != bare), about)


def _keys(word: str, keys: Mapping[str, tuple[str, Sequence[str]]]) -> list[str]:
    minus, bare = ("-", word[1:]) if word.startswith("-") else ("", word)
    return [f"{minus}{key}:" for key in keys if key.startswith(bare)]


def quoted(value: str) -> str:
    """Quote a value where the filter line needs it."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
