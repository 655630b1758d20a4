"""Colours cover the vocabulary and read on both grounds."""

from __future__ import annotations

import pytest

from seamscope import palette
from seamscope.schema import words

COLOURS = sorted({*palette.CAUSE_HEX.values(), *palette.TIER_HEX.values(), palette.UNKNOWN_HEX})


def test_every_word_has_its_colour() -> None:
    assert set(palette.CAUSE_HEX) == set(words.CAUSES)
    assert set(palette.TIER_HEX) == set(words.TIERS)
    assert set(palette.EVIDENCE_MARK) == set(palette.EVIDENCE_MARK_ASCII) == set(words.EVIDENCE)


@pytest.mark.parametrize("colour", COLOURS)
def test_reads_on_dark_and_on_light(colour: str) -> None:
    assert palette.contrast(colour, "#101418") >= 3
    assert palette.contrast(colour, "#ffffff") >= 3
    assert palette.contrast(colour, palette.ink(colour)) >= 4.5


def test_an_owner_takes_its_tier_and_a_seam_its_callee() -> None:
    assert palette.owner_hex("origin:orders") == palette.TIER_HEX["origin"]
    assert palette.owner_hex("render:web→data:postgres/app") == palette.TIER_HEX["data"]
    assert palette.owner_hex(None) == palette.UNKNOWN_HEX
