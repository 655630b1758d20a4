"""Copying ids through the terminal (OSC 52): hexadecimal digits and dashes only, whatever others sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from textual.app import App

_ID: Final = re.compile(r"[0-9a-f-]{1,64}")


def copy_id(app: App[Any], text: str) -> None:
    """Copy an id and say so; a text that is no id is refused."""
    if _ID.fullmatch(text) is None:
        app.notify("not an id: nothing copied", severity="warning", markup=False)
        return
    app.copy_to_clipboard(text)
    app.notify(f"copied {text}", markup=False)
