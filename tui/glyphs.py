"""Characters that drawings are made of: one set for terminals that show box drawing, one in plain ASCII."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seamscope import palette

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Glyphs:
    """A set of characters; every one is one cell wide unless it says otherwise."""

    ascii: bool
    eighths: tuple[str, ...]
    """A cell filled from the left: index 0 is empty, the last one full."""
    right_half: str
    full: str
    path: str
    """A stretch on the critical path."""
    span: str
    """A stretch of a span off the critical path."""
    loose: str
    """Asynchronous work: nobody waits for it."""
    leg: str
    into: str
    """The end of a request leg: into the server's row below."""
    back: str
    """The start of a response leg: back up to the client."""
    unsure: str
    """An end of a leg that the clocks do not pin down."""
    failed: str
    mark: str
    """A span without length."""
    cut_left: str
    cut_right: str
    opened: str
    closed: str
    seam: str
    asynchronous: str
    swatch: str
    dot: str
    rule: str
    tick: str
    caret: str
    rising: str
    falling: str
    live: str
    still: str
    warning: str
    pending: str
    arrow: str
    """Between the two tiers of a seam; two cells in ASCII."""
    ellipsis: str
    unknown: str
    """A number that is not known."""
    evidence: Mapping[str, str]

    def words(self, text: str) -> str:
        """Give `text` with the arrows of seams in this set."""
        return text if not self.ascii else text.replace("→", self.arrow).replace("…", self.ellipsis)


UNICODE: Final = Glyphs(
    ascii=False,
    eighths=(" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"),
    right_half="▐",
    full="█",
    path="━",
    span="─",
    loose="╌",
    leg="┄",
    into="▾",
    back="▴",
    unsure="~",
    failed="✗",
    mark="◆",
    cut_left="◂",
    cut_right="▸",
    opened="▾",
    closed="▸",
    seam="⇄",
    asynchronous="⇢",
    swatch="■",
    dot="·",
    rule="─",
    tick="╵",
    caret="▲",
    rising="▲",
    falling="▼",
    live="●",
    still="○",
    warning="▲",
    pending="~",
    arrow="→",
    ellipsis="…",
    unknown="–",
    evidence=palette.EVIDENCE_MARK,
)

ASCII: Final = Glyphs(
    ascii=True,
    eighths=(" ", " ", " ", " ", "#", "#", "#", "#", "#"),
    right_half="#",
    full="#",
    path="=",
    span="-",
    loose=".",
    leg="~",
    into="v",
    back="^",
    unsure="~",
    failed="x",
    mark="*",
    cut_left="<",
    cut_right=">",
    opened="v",
    closed=">",
    seam="%",
    asynchronous="&",
    swatch="#",
    dot="-",
    rule="-",
    tick="'",
    caret="^",
    rising="^",
    falling="v",
    live="*",
    still="o",
    warning="!",
    pending="~",
    arrow="->",
    ellipsis="~",
    unknown="-",
    evidence=palette.EVIDENCE_MARK_ASCII,
)

POOR_TERMINALS: Final = frozenset({"linux", "vt100", "vt102", "vt220", "ansi", "cons25", "dumb"})
"""TERM of terminals whose fonts lack these blocks and arrows."""


def choose(encoding: str | None, term: str | None) -> Glyphs:
    """Give the set that a terminal of this encoding and TERM can show."""
    wide = (encoding or "ascii").lower().replace("-", "").replace("_", "")
    return UNICODE if wide.startswith("utf") and term not in POOR_TERMINALS else ASCII
