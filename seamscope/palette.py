"""Colours of causes, tiers and evidence: one set for the terminal and the pages, on dark and on light grounds.

Hues come in families, told apart by people with any of the common colour blindnesses (after Okabe and Ito):
own work is blue, opening a connection orange, waiting red, the wire purple, data green, what nobody
knows grey. Every colour keeps a contrast of at least 3:1 to a black and to a white ground, so a bar reads on
both; words never rely on colour alone.
"""

from __future__ import annotations

from typing import Final

CAUSE_HEX: Final = {
    "unexplained": "#8a8a8a",
    "compute": "#2f8fd8",
    "render": "#5b7fe0",
    "middleware": "#2a96a8",
    "cold_start": "#7a74e8",
    "setup": "#bb7a2e",
    "dns": "#a98600",
    "connect": "#c77f00",
    "tls": "#d9742b",
    "pool_wait": "#e0533d",
    "send": "#a77bd0",
    "network": "#b067c4",
    "server_queue": "#d64b6f",
    "transfer": "#c76fb0",
    "retry": "#c0562c",
    "query": "#159a6e",
    "external_call": "#5f9a3a",
    "unobserved": "#9a8f7a",
    "queue_wait": "#8f8f4a",
    "job": "#7f9a5a",
}
"""Cause → colour."""

TIER_HEX: Final = {
    "unknown": "#8a8a8a",
    "browser": "#b067c4",
    "edge": "#c77f00",
    "render": "#5b7fe0",
    "origin": "#2a96a8",
    "data": "#159a6e",
    "external": "#a98600",
    "worker": "#d64b6f",
}
"""Tier → colour."""

EVIDENCE_MARK: Final = {
    "measured": "●",
    "linked": "◆",
    "header": "◈",
    "bounded": "◐",
    "inferred": "○",
    "unexplained": "?",
}
"""Evidence → a mark that ranks it without colour."""

EVIDENCE_MARK_ASCII: Final = {
    "measured": "=",
    "linked": "&",
    "header": "#",
    "bounded": "<",
    "inferred": "~",
    "unexplained": "?",
}
"""The same where the terminal's encoding has no such glyphs."""

UNKNOWN_HEX: Final = "#8a8a8a"
"""For a word that this release does not know."""


def cause_hex(cause: str | None) -> str:
    """Give the colour of a cause; grey for None and for a word not known."""
    return CAUSE_HEX.get(cause or "", UNKNOWN_HEX)


def tier_hex(tier: str | None) -> str:
    """Give the colour of a tier; grey for None and for a word not known."""
    return TIER_HEX.get(tier or "", UNKNOWN_HEX)


def owner_hex(owner: str | None) -> str:
    """Give the colour of an owner: its tier's, and of a seam the callee's tier."""
    return tier_hex((owner or "").rpartition("→")[2].partition(":")[0])


def _channel(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def luminance(colour: str) -> float:
    """Give the relative luminance (WCAG 2) of `#rrggbb`, 0 to 1."""
    red, green, blue = (_channel(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Give the contrast (WCAG 2) of two colours, 1 to 21."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink(ground: str) -> str:
    """Give black or white: whichever reads better on `ground`."""
    return max("#000000", "#ffffff", key=lambda colour: contrast(colour, ground))
