"""Styles by meaning: what a cause, a tier or an error looks like on the ground the user chose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from rich.color import Color, blend_rgb
from rich.style import Style

from seamscope import palette
from tui.glyphs import UNICODE, Glyphs


@dataclass(frozen=True, slots=True)
class Ground:
    """Plain colours of a theme."""

    back: str
    raised: str
    bar: str
    cursor: str
    text: str
    dim: str
    faint: str
    accent: str
    error: str
    warning: str
    good: str


DARK: Final = Ground(
    back="#10141a",
    raised="#171c24",
    bar="#1e2530",
    cursor="#27405c",
    text="#d9dfe8",
    dim="#8b96a5",
    faint="#4b5666",
    accent="#6cb6f5",
    error="#ff7b72",
    warning="#e3b341",
    good="#56c98a",
)
LIGHT: Final = Ground(
    back="#fcfcfa",
    raised="#f3f3f0",
    bar="#e7e8e6",
    cursor="#cfe3f7",
    text="#1d2228",
    dim="#5d6774",
    faint="#b3bac3",
    accent="#0a5fb4",
    error="#b8241a",
    warning="#8a5a00",
    good="#146c43",
)


@lru_cache(maxsize=512)
def _style(fore: str | None, back: str | None, bold: bool, dim: bool, reverse: bool, underline: bool) -> Style:
    """Give a style that says only what it turns on: laid over a row's ground it leaves the rest alone."""
    return Style(
        color=fore,
        bgcolor=back,
        bold=bold or None,
        dim=dim or None,
        reverse=reverse or None,
        underline=underline or None,
    )


@lru_cache(maxsize=512)
def blend(colour: str, ground: str, share: float) -> str:
    """Give `colour` with `share` (0 to 1) of `ground` mixed in."""
    mixed = blend_rgb(Color.parse(colour).get_truecolor(), Color.parse(ground).get_truecolor(), share)
    return mixed.hex


class Paint:
    """The styles of one theme. `plain` (NO_COLOR) tells things apart by weight and reversal alone."""

    def __init__(self, *, dark: bool = True, plain: bool = False, glyphs: Glyphs = UNICODE) -> None:
        self.ground = DARK if dark else LIGHT
        self.dark = dark
        self.plain = plain
        self.glyphs = glyphs

    def _of(self, fore: str, *, bold: bool = False, dim: bool = False, underline: bool = False) -> Style:
        return _style(fore, None, bold, dim and self.plain, False, underline)

    @cached_property
    def text(self) -> Style:
        """What is read first."""
        return self._of(self.ground.text)

    @cached_property
    def strong(self) -> Style:
        """A heading, a number that matters."""
        return self._of(self.ground.text, bold=True)

    @cached_property
    def dim(self) -> Style:
        """What is read second: units, labels."""
        return self._of(self.ground.dim, dim=True)

    @cached_property
    def faint(self) -> Style:
        """Rules and ticks."""
        return self._of(self.ground.faint, dim=True)

    @cached_property
    def accent(self) -> Style:
        """Keys, matches and what can be acted on."""
        return self._of(self.ground.accent, bold=self.plain)

    @cached_property
    def error(self) -> Style:
        """A failed request, a failed span."""
        return self._of(self.ground.error, bold=True)

    @cached_property
    def warning(self) -> Style:
        """Odd data."""
        return self._of(self.ground.warning, bold=self.plain)

    @cached_property
    def good(self) -> Style:
        """All is well."""
        return self._of(self.ground.good)

    @cached_property
    def match(self) -> Style:
        """Text that was searched for."""
        return _style(self.ground.back, self.ground.warning, True, False, self.plain, False)

    @cached_property
    def header(self) -> Style:
        """Column names: their row."""
        return _style(self.ground.dim, self.ground.bar, self.plain, False, False, self.plain)

    def bar(self) -> Style:
        """Give the ground of a line that frames the screen."""
        return _style(self.ground.text, self.ground.bar, False, False, False, False)

    def row(self, *, here: bool, focused: bool = True) -> Style:
        """Give the ground of a row; `here` where the cursor is."""
        if not here:
            return _style(self.ground.text, self.ground.back, False, False, False, False)
        back = self.ground.cursor if focused else self.ground.bar
        return _style(self.ground.text, back, False, False, self.plain and focused, self.plain and not focused)

    def cause(self, cause: str | None, *, bold: bool = False) -> Style:
        """Give the colour of a cause, as ink."""
        return self._of(palette.cause_hex(cause), bold=bold)

    def tier(self, tier: str | None, *, bold: bool = False, soft: bool = False) -> Style:
        """Give the colour of a tier, as ink; `soft` for what is off the path."""
        colour = palette.tier_hex(tier)
        return self._of(blend(colour, self.ground.back, 0.35) if soft else colour, bold=bold, dim=soft)

    def owner(self, owner: str | None) -> Style:
        """Give the colour of an owner's tier, as ink."""
        return self._of(palette.owner_hex(owner))

    def beside(self, left: str | None, right: str | None, *, soft: bool = False) -> Style:
        """Give ink in the colour of `left` on the ground of `right`, for a cell that both share."""
        fore, back = (self._solid(cause, soft=soft) if cause else None for cause in (left, right))
        return _style(fore or self.ground.back, back, False, False, False, False)

    def meter(self, cause: str | None, *, soft: bool = False) -> Style:
        """Give the ink of a request's bar in the list."""
        colour = palette.cause_hex(cause)
        return self._of(blend(colour, self.ground.back, 0.35) if soft else colour, dim=soft)

    def _solid(self, cause: str, *, soft: bool) -> str:
        colour = palette.cause_hex(cause)
        return blend(colour, self.ground.back, 0.62) if soft else colour

    def block(self, cause: str | None, *, soft: bool = False) -> Style:
        """Give a cause as a ground with readable ink on it; `soft` for the horizon that is not looked at."""
        back = self._solid(cause or "", soft=soft)
        return _style(self.ground.text if soft else palette.ink(back), back, False, False, self.plain, False)
