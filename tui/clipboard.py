"""Copying ids through the terminal (OSC 52): hexadecimal digits and dashes only, whatever others sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tui.widgets.canvas import explorer_of

if TYPE_CHECKING:
    from textual.widget import Widget

_ID: Final = re.compile(r"[0-9a-f-]{1,64}")


def copy_id(asker: Widget, text: str) -> None:
    """Copy an id and say so; a text that is no id is refused."""
    app = explorer_of(asker)
    if _ID.fullmatch(text) is None:
        app.say("not an id: nothing copied", wrong=True)
        return
    app.copy_to_clipboard(text)
    app.say(f"copied {text}")
