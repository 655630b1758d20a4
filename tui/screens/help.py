"""Every key, every colour and every mark, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.screen import ModalScreen

from seamscope import palette
from tui.ribbons import swatch
from tui.widgets.canvas import paint_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.lines import Line

KEYS = (
    ("Everywhere", ""),
    ("j k  g G  ctrl+d ctrl+u", "down, up, first, last, half a page"),
    ("?  T  q", "help, dark or light, back or quit"),
    ("y", "copy the id under the cursor (in a request Y copies the trace id)"),
    ("r", "read again"),
    ("Request list", ""),
    ("enter l", "open the request"),
    ("/", "filter: route:/dash tier:origin cause:pool_wait shell>500ms org_id:7 text; tab completes, esc clears"),
    ("f", "follow: stay with the newest"),
    ("o O", "sort by the next, the previous key: newest, complete, shell, spans, oldest"),
    ("s", "count to the shell (first byte) or complete (last byte)"),
    ("e  a", "all environments; all kinds (module loads and the like too)"),
    ("Request", ""),
    ("s", "path to the shell or to complete"),
    ("n p", "next, previous segment of the critical path"),
    ("h l space  H L", "fold, unfold; all"),
    ("c  z", "critical path only; zoom into the span under the cursor"),
    ("/", "find a span, service or seam; in the pane: an attribute or value"),
    ("enter tab  d", "to the span's pane and back; show or hide it"),
    ("1 2 3 4", "waterfall, segments, hops, odd things"),
    ("[ ]", "the request above, below in the list"),
    ("x X", "write the request as HTML, as JSON"),
)

MARKS = (
    ("span", "a span, off the critical path"),
    ("full", "a stretch on the critical path, in the colour of its cause"),
    ("leg", "a leg of a hop: from the client to its server, and back"),
    ("loose", "asynchronous work: nobody waits for it"),
    ("mark", "a span without length (on Workers: not measurable, not free)"),
    ("unsure", "an end of a leg that the clocks do not pin down; in the list: not final"),
    ("warning", "something odd: its words are in the pane"),
)


class HelpRows(Rows):
    """The page itself."""

    header: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__(id="help")
        causes = [("cause", name) for name in palette.CAUSE_HEX]
        self.entries = [
            *(("key", *entry) for entry in KEYS),
            ("key", "Marks", ""),
            *(("mark", *entry) for entry in MARKS),
            ("key", "Evidence, best first", ""),
            *(("evidence", name, "") for name in palette.EVIDENCE_MARK if name != "unexplained"),
            ("key", "Causes", ""),
            *((kind, name, "") for kind, name in causes),
        ]

    def on_mount(self) -> None:
        """Lay out the page."""
        self.count = len(self.entries)

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a line of help."""
        del here
        kind, left, right = self.entries[index]
        paint = paint_of(self)
        out.gap(2)
        if kind == "key" and not right:
            out.add(left, paint.strong)
        elif kind == "key":
            out.gap(2).column(left, 26, paint.accent).add(right)
        elif kind == "mark":
            out.gap(2).column(str(getattr(paint.glyphs, left)), 26, paint.accent).add(right)
        elif kind == "evidence":
            out.gap(2).column(paint.glyphs.evidence[left], 26, paint.accent).add(left)
        else:
            out.gap(2).add(swatch(left, paint), paint.cause(left, bold=True)).gap(1).add(left)


class HelpScreen(ModalScreen[None]):
    """Lies over the screen it was asked from."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "Back")]

    def compose(self) -> ComposeResult:
        """Build the page."""
        yield HelpRows()
