"""The head of the request list: which store and selection, how many, how slow, and who held them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from tui import formats
from tui.ribbons import share_bar, swatch
from tui.widgets.canvas import line, paint_of

if TYPE_CHECKING:
    from rich.style import Style
    from textual.strip import Strip

    from seamscope.results import Group, Percentiles, Report, Selection, Share
    from tui.lines import Line
    from tui.paint import Paint


class Summary(Widget):
    """Three lines: the store and the selection; counts and percentiles; a bar of owners and causes with its legend."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        super().__init__(id="summary")
        self.store = name
        self.selection: Selection | None = None
        self.state = "opening"
        """`opening`, `ready`, `gone` (there are rows, no more come) or `failed`."""
        self.following = False
        self.live = False
        self.was_live = False
        self.behind = False
        """There are newer rows than the list shows."""
        self.problem = ""
        self.notes: tuple[str, ...] = ()
        self.horizon = "shell"
        self.order = "newest"
        self.other = False
        self.report: Report | None = None

    def render_line(self, y: int) -> Strip:
        """Draw a line of the head."""
        paint = paint_of(self)
        out = line(self, self.size.width, paint.bar() if y == 0 else paint.row(here=False))
        out.gap(1)
        if y == 0:
            self._store(out, paint)
        elif y == 1:
            self._numbers(out, paint)
        elif y == 2:
            self._bar(out, paint)
        else:
            self._legend(out, paint)
        return out.strip()

    def show(self, report: Report) -> None:
        """Take the totals of the selection."""
        self.report = report
        self.refresh()

    def _words(self, paint: Paint) -> tuple[str, Style]:
        """Give the store's state in a word or two."""
        live, still = paint.glyphs.live, paint.glyphs.still
        if self.state == "opening":
            return f"{still} opening", paint.dim
        if self.state in {"gone", "failed"}:
            return f"{still} {'out of reach, trying again' if self.state == 'gone' else 'cannot read'}", paint.error
        if self.behind:
            return f"{live} newer above: g", paint.warning
        if not self.live and self.was_live:
            return f"{still} collector gone: seamscope collect starts one", paint.warning
        if not self.live:
            return f"{still} no collector", paint.dim
        return (f"{live} following", paint.good) if self.following else (f"{live} live", paint.good)

    def _store(self, out: Line, paint: Paint) -> None:
        words, style = self._words(paint)
        room = out.width - len(words) - 2
        out.add("seamscope ", paint.strong)
        store, *rest = self._where(paint)
        most = max(room - out.used - 24, 12)
        out.add(store if len(store) <= most else paint.glyphs.ellipsis + store[1 - most :], paint.dim)
        for text in rest:
            if out.used + len(text) < room:
                out.add(text, paint.dim)
        out.to(room).gap(1).add(words, style)

    def _where(self, paint: Paint) -> list[str]:
        dot = f" {paint.glyphs.dot} "
        parts = [self.store]
        chosen = self.selection
        if chosen and chosen.environment:
            parts.append("all environments" if chosen.environment == "*" else chosen.environment)
        if chosen and (chosen.since or chosen.until):
            parts.append(f"since {chosen.since}" if chosen.since else f"until {chosen.until}")
        if chosen and chosen.filter:
            parts.append(f"/{chosen.filter}")
        parts.append(self.order if self.order == "newest" else f"by {self.order}")
        if self.other:
            parts.append("all kinds")
        return [parts[0], *(f"{dot}{part}" for part in parts[1:])]

    def _numbers(self, out: Line, paint: Paint) -> None:
        if self.state == "gone":
            out.add(self.problem, paint.error)
            return
        if self.report is None:
            return
        total = self.report.total
        out.add(formats.count(total.requests), paint.strong).add(" requests  ", paint.dim)
        out.add(formats.count(total.errors), paint.error if total.errors else paint.strong)
        out.add(" failed" if out.width > 90 else " err", paint.dim)
        for name, group in (("shell", total.shell), ("complete", total.complete)):
            if out.width >= 100 or name == self.horizon:
                self._percentiles(out, paint, name, group)
        for note in self.notes:
            out.gap(3).add(note, paint.warning)

    def _percentiles(self, out: Line, paint: Paint, name: str, values: Percentiles) -> None:
        here = name == self.horizon
        out.gap(3).add(name, paint.accent if here else paint.dim)
        for label, value in (("p50", values.p50_ns), ("p95", values.p95_ns), ("p99", values.p99_ns)):
            out.gap(1).add(f"{label} ", paint.dim)
            out.add(formats.duration(value), paint.strong if here else paint.text)

    def _shares(self) -> tuple[Group | None, list[tuple[str, str, int]]]:
        if self.report is None:
            return None, []
        return self.report.total, merged(self.report.total.shares.get(self.horizon, ()))

    def _bar(self, out: Line, paint: Paint) -> None:
        _, shares = self._shares()
        if shares:
            out.paint(share_bar(shares, out.width - 2, paint))

    def _legend(self, out: Line, paint: Paint) -> None:
        group, shares = self._shares()
        if group is None:
            return
        whole = sum(ns for _, _, ns in shares)
        for owner, cause, ns in shares:
            words = f" {paint.glyphs.words(owner)} {cause} {formats.percent(ns, whole)}"
            if len(words) + 3 > out.room:
                break
            out.add(swatch(cause, paint), paint.cause(cause, bold=True)).add(words, paint.text).gap(2)


def merged(shares: tuple[Share, ...]) -> list[tuple[str, str, int]]:
    """Draw the same owner and cause as one, whatever the evidence; largest first."""
    whole: dict[tuple[str, str], int] = {}
    for share in shares:
        whole[share.owner, share.cause] = whole.get((share.owner, share.cause), 0) + share.ns
    return sorted(((owner, cause, ns) for (owner, cause), ns in whole.items()), key=lambda part: -part[2])
