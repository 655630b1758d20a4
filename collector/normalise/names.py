"""Span and event names that mean something: a text column becomes a column of small numbers.

Patterns are whole names, or beginnings that end in '*'; the longest one that fits wins, a whole name before a
beginning. One walk through a tree of bytes per name, so that names full of ids cost no more than others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collector.normalise.texts import readonly
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from collector.normalise.texts import I32, U8, Texts

    I16 = NDArray[np.int16]


@kernel
def _walk(data: U8, offsets: I32, children: NDArray[np.int16], whole: I16, beginning: I16) -> I16:
    """Return per name the number of the pattern that fits, 0 for none."""
    found = np.zeros(len(offsets) - 1, np.int16)
    for row in range(len(found)):
        node = 0
        best = beginning[0]
        at = offsets[row]
        end = offsets[row + 1]
        while at < end and node >= 0:
            byte = data[at]
            node = children[node, byte] if byte < 128 else -1
            at += 1
            if node >= 0 and beginning[node]:
                best = beginning[node]
        if node >= 0 and at == end and whole[node]:
            best = whole[node]
        found[row] = best
    return found


@dataclass(frozen=True)
class Names:
    """A set of patterns, numbered from 1."""

    patterns: tuple[str, ...]
    """Position 0 is '': no pattern fits."""
    children: I16
    whole: I16
    beginning: I16

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Names:
        """Build the tree of `patterns` (ASCII; each once)."""
        numbered = ("", *sorted(set(patterns)))
        tree: list[dict[int, int]] = [{}]
        ends: dict[int, dict[int, int]] = {0: {}, 1: {}}
        for number, pattern in enumerate(numbered[1:], start=1):
            is_beginning = pattern.endswith("*")
            node = 0
            for byte in pattern.removesuffix("*").encode("ascii"):
                if byte not in tree[node]:
                    tree[node][byte] = len(tree)
                    tree.append({})
                node = tree[node][byte]
            ends[int(is_beginning)][node] = number
        children = np.full((len(tree), 128), -1, np.int16)
        marks = np.zeros((2, len(tree)), np.int16)
        for at, branches in enumerate(tree):
            children[at, list(branches)] = list(branches.values())
        for kind, found in ends.items():
            marks[kind, list(found)] = list(found.values())
        return cls(numbered, readonly(children), readonly(marks[0]), readonly(marks[1]))

    def match(self, texts: Texts) -> I16:
        """Return per text the number of its pattern in `patterns`."""
        return _walk(texts.data, texts.offsets, self.children, self.whole, self.beginning)
