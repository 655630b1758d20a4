"""Where an owner stands: its tier, or, for a seam, its boundary."""

from __future__ import annotations

from typing import Final

import polars as pl

from seamscope.schema.words import TIERS

_TIER: Final = "|".join(TIERS)
_CALLER: Final = rf"^({_TIER}):.*→(?:{_TIER}):"
_CALLEE: Final = rf"^(?:{_TIER}):.*→({_TIER}):"
_ALONE: Final = rf"^({_TIER}):"


def standing(owner: pl.Expr) -> pl.Expr:
    """Give `origin` for `origin:orders`, `render→origin` for `render:web→origin:orders`; null for what is neither."""
    seam = owner.str.extract(_CALLER) + "→" + owner.str.extract(_CALLEE)
    return pl.coalesce(seam, owner.str.extract(_ALONE))


def spelled(owner: str) -> str:
    """Give an owner with the arrow that the views write, whichever of the two it was written with."""
    return owner.replace("->", "→")
