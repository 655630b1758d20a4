"""Every key, every colour and every mark, on one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

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
    from tui.paint import Paint

KEYS: Final = {
    "Everywhere": (
        ("j k  g G", "down, up, first, last; ctrl+d ctrl+u half a page, ctrl+f ctrl+b a page"),
        ("s", "count to the shell (first byte) or to complete (last byte)"),
        ("y", "copy the id under the cursor; in a request Y copies the trace id"),
        ("r  T  ? q", "read again; dark or light; this page; back or quit"),
    ),
    "Requests": (
        ("enter l", "open the request"),
        ("/", "filter: route:/dash tier:origin cause:pool_wait shell>500ms org_id:7 text"),
        ("", "  tab completes, - before a term turns it round, == is to the letter, esc clears"),
        ("f", "follow: stay with the newest"),
        ("o O", "sort by newest, slowest, shell, complete, spans, oldest"),
        ("b", "breakdown by route, seam, boundary and more; there:"),
        ("  b B  p  x", "  group by the next; mean, p50, p95, p99; open the request that stands at p95"),
        ("e  a", "all environments; all kinds: module loads and the like too"),
    ),
    "One request": (
        ("n p", "next, previous segment of the critical path"),
        ("h l space  H L", "fold, unfold, either; everything"),
        ("c  z Z", "critical path only; spread the span, the path over the width"),
        ("/", "find a span, service or seam; in the pane an attribute or value"),
        ("enter tab  d", "to the pane and back; show or hide it"),
        ("1 2 3 4 5", "waterfall, segments, hops, odd things, log records"),
        ("[ ]", "the request above, below in the list"),
        ("x X", "write the request as HTML, as JSON"),
    ),
}
MARKS: Final = (
    (("span", "full"), "a span; its stretches on the critical path, in the colours of their causes"),
    (("leg", "into", "back"), "the legs of a hop: into the server, and back to the client"),
    (("loose", "asynchronous"), "asynchronous work: nobody waits for it"),
    (("mark",), "a span without length; at the edge not measurable, not free"),
    (("unsure",), "an end of a leg that the clocks do not pin down; in the list: not final"),
    (("warning", "failed"), "something odd, whose words are in the pane; a failed span"),
)
CAUSES_IN_A_ROW: Final = 4
LABELS: Final = 18


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the page."""

    kind: str
    """`heading`, `key`, `mark`, `evidence` or `causes`."""
    left: str = ""
    right: str = ""
    words: tuple[str, ...] = ()


def page() -> list[Entry]:
    """Give the lines of the page."""
    lines: list[Entry] = []
    for title, keys in KEYS.items():
        lines += [Entry("heading", title), *(Entry("key", left, right) for left, right in keys)]
    lines += [Entry("heading", "Marks"), *(Entry("mark", right=right, words=names) for names, right in MARKS)]
    lines += [Entry("heading", "Evidence, best first"), Entry("evidence", words=tuple(palette.EVIDENCE_MARK))]
    causes = tuple(palette.CAUSE_HEX)
    rows = [causes[at : at + CAUSES_IN_A_ROW] for at in range(0, len(causes), CAUSES_IN_A_ROW)]
    return [*lines, Entry("heading", "Causes"), *(Entry("causes", words=row) for row in rows)]


class HelpRows(Rows):
    """The page itself."""

    header: ClassVar[int] = 0
    points: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="help")
        self.entries = page()

    def on_mount(self) -> None:
        """Lay out the page."""
        self.count = len(self.entries)

    def action_move(self, by: int) -> None:
        """Scroll by lines: there is no cursor to move."""
        self.scroll_row(self.scroll_offset.y + by)

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a line of help."""
        del here
        entry, paint = self.entries[index], paint_of(self)
        out.gap(2)
        if entry.kind == "heading":
            out.add(entry.left, paint.strong)
        elif entry.kind == "key":
            out.gap(2).column(entry.left, LABELS, paint.accent).add(paint.glyphs.words(entry.right))
        elif entry.kind == "mark":
            shown = " ".join(str(getattr(paint.glyphs, name)) for name in entry.words)
            out.gap(2).column(shown, LABELS, paint.accent).add(entry.right)
        else:
            self._words(out.gap(2), entry, paint)

    @staticmethod
    def _words(out: Line, entry: Entry, paint: Paint) -> None:
        for word in entry.words:
            if entry.kind == "evidence":
                out.add(paint.glyphs.evidence[word], paint.accent).add(f" {word}").gap(3)
            else:
                out.add(swatch(word, paint), paint.cause(word, bold=True)).gap(1).column(word, LABELS - 3)


class HelpScreen(ModalScreen[None]):
    """Lies over the screen it was asked from."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "Back")]

    def compose(self) -> ComposeResult:
        """Build the page."""
        yield HelpRows()
