"""The two grounds as Textual themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.theme import Theme

from tui.paint import DARK, LIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.paint import Ground

DARK_NAME: Final = "seamscope-dark"
LIGHT_NAME: Final = "seamscope-light"


def _theme(name: str, ground: Ground, *, dark: bool) -> Theme:
    return Theme(
        name=name,
        primary=ground.accent,
        secondary=ground.dim,
        accent=ground.accent,
        warning=ground.warning,
        error=ground.error,
        success=ground.good,
        foreground=ground.text,
        background=ground.back,
        surface=ground.raised,
        panel=ground.bar,
        dark=dark,
    )


THEMES: Final = (_theme(DARK_NAME, DARK, dark=True), _theme(LIGHT_NAME, LIGHT, dark=False))


def is_dark(environment: Mapping[str, str]) -> bool:
    """Tell whether a terminal's ground is dark, by SEAMSCOPE_THEME, then by COLORFGBG; dark where neither says."""
    wanted = environment.get("SEAMSCOPE_THEME", "").lower()
    if wanted in {"dark", "light"}:
        return wanted == "dark"
    back = environment.get("COLORFGBG", "").rpartition(";")[2]
    return back not in {"7", "9", "10", "11", "12", "13", "14", "15"}
