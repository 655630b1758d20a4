"""The walk against an oracle that does it the slow, plain way, and against CRISP's published answers."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import path

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = np.iinfo(np.int64).min
Stretch = tuple[int, int, int]


@dataclass(frozen=True)
class Tree:
    """Spans by row; row 0 is the root."""

    parent: tuple[int, ...]
    start: tuple[int, ...]
    end: tuple[int, ...]

    def children(self, row: int) -> list[int]:
        return [child for child, parent in enumerate(self.parent) if parent == row]


def walked(tree: Tree, *, until: int | None = None, strict: bool = False, overlap: float = 0.0) -> list[Stretch]:
    """Stretches (span, from, to) of the kernel's walk, the last first."""
    count = len(tree.parent)
    parent = np.array(tree.parent, np.int32)
    start, end = np.array(tree.start, np.int64), np.array(tree.end, np.int64)
    ids = np.arange(count, dtype=np.int64)
    first, children = path.children_by_end(parent, np.ones(count, np.uint8), start, end, ids)
    none = np.zeros(count, np.uint8)
    found = path.walk_paths(
        0,
        np.zeros(1, np.int32),
        np.full(1, UNKNOWN),
        np.array([tree.end[0] if until is None else until], np.int64),
        np.full(1, -1, np.int32),
        parent,
        first,
        children,
        start,
        end,
        np.zeros(count, np.int64),
        none,
        none,
        end,
        children,
        np.ones(count, np.uint8),
        count,
        strict,
        overlap,
        4 * count + 8,
    )
    assert found[0] == 1
    rows = zip(found[4].tolist(), found[5].tolist(), found[6].tolist(), strict=True)
    return list(rows)[: found[1]]


def by_hand(tree: Tree, *, strict: bool) -> list[Stretch]:
    """The same walk, one nanosecond's decision at a time: who has time t is asked anew at every cursor."""
    found: list[Stretch] = []

    def go(row: int, bottom: int, top: int) -> None:
        cursor = top
        used: set[int] = set()
        while cursor > bottom:
            candidates = []
            for child in tree.children(row):
                reach = min(tree.end[child], cursor)
                if tree.start[child] >= cursor or reach <= bottom or child in used:
                    continue
                if strict and tree.end[child] > cursor and cursor != top:
                    continue
                candidates.append((-reach, tree.start[child], -tree.end[child], child))
            if not candidates:
                found.append((row, bottom, cursor))
                return
            reach, _, _, child = min(candidates)
            if -reach < cursor:
                found.append((row, -reach, cursor))
                cursor = -reach
                continue
            used.add(child)
            go(child, max(tree.start[child], bottom), cursor)
            cursor = max(tree.start[child], bottom)

    go(0, tree.start[0], tree.end[0])
    return found


def joined(stretches: list[Stretch]) -> list[Stretch]:
    """Without empty stretches, neighbours of one span put together."""
    kept: list[Stretch] = []
    for span, low, high in stretches:
        if low == high:
            continue
        if kept and kept[-1][0] == span and kept[-1][1] == high:
            kept[-1] = (span, low, kept[-1][2])
        else:
            kept.append((span, low, high))
    return kept


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    count = draw(st.integers(1, 14))
    parent, start, end = [-1], [0], [draw(st.integers(0, 30))]
    for row in range(1, count):
        parent.append(draw(st.integers(0, row - 1)))
        start.append(draw(st.integers(-5, 32)))
        end.append(start[-1] + draw(st.integers(0, 30)))
    return Tree(tuple(parent), tuple(start), tuple(end))


@settings(max_examples=400, deadline=None)
@given(tree=trees(), strict=st.booleans())
def test_the_walk_is_the_oracles_to_the_nanosecond(tree: Tree, *, strict: bool) -> None:
    assert joined(walked(tree, strict=strict)) == joined(by_hand(tree, strict=strict))


@settings(max_examples=200, deadline=None)
@given(tree=trees(), strict=st.booleans())
def test_stretches_are_contiguous_and_sum_to_the_horizon(tree: Tree, *, strict: bool) -> None:
    stretches = walked(tree, strict=strict, overlap=0.01)
    assert sum(high - low for _, low, high in stretches) == tree.end[0] - tree.start[0]
    edges = [tree.end[0], *[low for _, low, _ in stretches]]
    assert [high for _, _, high in stretches] == edges[:-1]
    assert edges[-1] == tree.start[0]


def crisp_tree(document: dict[str, object]) -> tuple[Tree, list[str]]:
    trace = document["data"][0]  # type: ignore[index]
    spans = sorted(trace["spans"], key=lambda span: bool(span["references"]))
    rows = {span["spanID"]: row for row, span in enumerate(spans)}
    names = [f"[{trace['processes'][span['processID']]['serviceName']}] {span['operationName']}" for span in spans]
    return (
        Tree(
            tuple(rows[span["references"][0]["spanID"]] if span["references"] else -1 for span in spans),
            tuple(span["startTime"] for span in spans),
            tuple(span["startTime"] + span["duration"] for span in spans),
        ),
        names,
    )


def crisp_exclusive(tree: Tree, names: list[str]) -> dict[str, int]:
    """Exclusive time as CRISP counts it: a span on the path gets its whole length, and its parent loses it."""
    on_path = {span for span, low, high in walked(tree, strict=True, overlap=0.01) if high > low}
    for row in sorted(on_path):
        above = row
        while above >= 0:
            on_path.add(above)
            above = tree.parent[above]
    low, high = list(tree.start), list(tree.end)
    for row in range(1, len(names)):
        low[row], high[row] = max(low[row], low[tree.parent[row]]), min(high[row], high[tree.parent[row]])
    summed: dict[str, int] = defaultdict(int)
    for row in on_path:
        summed[names[row]] += high[row] - low[row]
        if row:
            summed[names[tree.parent[row]]] -= high[row] - low[row]
    return dict(summed)


def test_crisp(corpus: Path) -> None:
    files = sorted((corpus / "crisp").glob("*.json"), key=lambda file: int(file.stem))
    assert len(files) >= 15
    for file in files:
        document = json.loads(file.read_text())
        told = document["testing"]
        expected = told[0] if isinstance(told, list) else told["opTimeExclusive"]
        tree, names = crisp_tree(document)
        assert crisp_exclusive(tree, names) == expected, file.name


def test_own_stretches_are_crisps_where_nothing_overlaps(corpus: Path) -> None:
    for file in (corpus / "crisp").glob("*.json"):
        document = json.loads(file.read_text())
        told = document["testing"]
        expected = told[0] if isinstance(told, list) else told["opTimeExclusive"]
        tree, names = crisp_tree(document)
        summed: dict[str, int] = dict.fromkeys(expected, 0)
        for span, low, high in walked(tree, strict=True, overlap=0.01):
            summed[names[span]] += high - low
        most = 2 if file.stem == "10" else 0  # its three spans overlap by one each; here no time counts twice
        assert all(abs(summed[name] - expected[name]) <= most for name in expected), file.name


@pytest.mark.parametrize("strict", [True, False])
def test_a_chain_of_fifty_thousand(strict: bool) -> None:
    count = 50_000
    tree = Tree((-1, *range(count - 1)), tuple(range(count)), tuple(3 * count - row for row in range(count)))
    stretches = walked(tree, strict=strict)
    assert sum(high - low for _, low, high in stretches) == 3 * count
    assert len(stretches) == 2 * count - 1


def test_a_hundred_thousand_children() -> None:
    count = 100_001
    tree = Tree((-1,) + (0,) * (count - 1), tuple(range(count)), (2 * count, *range(2, count + 1)))
    assert sum(high - low for _, low, high in walked(tree)) == 2 * count


def test_a_walk_that_runs_out_of_room_begins_its_request_again() -> None:
    parent = np.array([-1, 0, 0], np.int32)
    start, end = np.array([0, 2, 6], np.int64), np.array([10, 4, 8], np.int64)
    first, children = path.children_by_end(parent, np.ones(3, np.uint8), start, end, np.arange(3))
    none = np.zeros(3, np.uint8)
    root, horizons = np.zeros(2, np.int32), np.full(2, 10, np.int64)
    given = (root, np.full(2, UNKNOWN), horizons, np.full(2, -1, np.int32), parent, first, children, start, end)
    rest = (np.zeros(3, np.int64), none, none, end, children, none, 3, False, 0.0)
    done, count, *_ = path.walk_paths(0, *given, *rest, 7)
    assert (done, count) == (1, 5)
    done, count, *_ = path.walk_paths(1, *given, *rest, 7)
    assert (done, count) == (2, 5)
    assert path.walk_paths(0, *given, *rest, 4)[:2] == (0, 0)
