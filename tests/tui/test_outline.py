"""Folding, filtering and finding rows again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.outline import Outline

#   0
#   ├ 1
#   │ ├ 2
#   │ └ 3
#   └ 4
#     └ 5
DEPTHS = (0, 1, 2, 2, 1, 2)


def test_nests() -> None:
    outline = Outline(DEPTHS)
    assert outline.parents == [-1, 0, 1, 1, 0, 4]
    assert outline.ends == [6, 4, 3, 4, 6, 6]
    assert [outline.has_children(row) for row in range(6)] == [True, True, False, False, True, False]


def test_folds_and_reveals() -> None:
    outline = Outline(DEPTHS)
    outline.fold(1)
    assert outline.shown == [0, 1, 4, 5]
    assert outline.place(3) == 1
    outline.fold(0)
    assert outline.shown == [0]
    outline.reveal(3)
    assert outline.shown == [0, 1, 2, 3, 4, 5]


def test_keeps_rows_with_what_is_above_them() -> None:
    outline = Outline(DEPTHS)
    outline.keep([5])
    assert outline.shown == [0, 4, 5]
    outline.keep(None)
    assert outline.shown == list(range(6))


def test_a_leaf_does_not_fold() -> None:
    outline = Outline(DEPTHS)
    outline.fold(2)
    assert not outline.folded


@given(st.lists(st.integers(0, 6), max_size=60), st.sets(st.integers(0, 59)))
def test_whatever_is_folded_every_row_has_a_place(depths: list[int], folds: set[int]) -> None:
    outline = Outline(depths)
    for row in folds & set(range(len(depths))):
        outline.fold(row)
    assert outline.shown == sorted(outline.shown)
    for row in range(len(depths)):
        assert outline.shown[outline.place(row)] <= row
        outline.reveal(row)
        assert outline.shown[outline.place(row)] == row
