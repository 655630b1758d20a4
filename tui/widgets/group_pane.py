"""What held one group of requests: its shares with their evidence, and the calls on its critical path."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tui import formats
from tui.lines import clean, cut_seam
from tui.ribbons import swatch
from tui.track import Track
from tui.widgets.canvas import paint_of
from tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seamscope.results import Group, HeldBy, Share
    from tui.lines import Line

BAR = 24


class GroupPane(Rows):
    """Draws the shares of a group, largest first, then its calls in their usual order."""

    rests: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(id="group")
        self.group: Group | None = None
        self.horizon = "shell"
        self.shares: Sequence[Share] = ()
        self.calls: Sequence[HeldBy] = ()

    def show(self, group: Group | None, horizon: str) -> None:
        """Take a group and the horizon that is looked at."""
        self.group, self.horizon = group, horizon
        self.shares = group.shares.get(horizon, ()) if group else ()
        self.calls = sorted(group.held_by.get(horizon, ()), key=lambda call: call.order) if group else ()
        self.count = len(self.shares) + (len(self.calls) + 1 if self.calls else 0)
        self.cursor = 0
        self.refresh()

    @property
    def taken(self) -> int:
        """Requests that the shares are totals of."""
        return self.group.requests_in.get(self.horizon, 0) if self.group else 0

    @property
    def sum_ns(self) -> int:
        """What the shares sum to."""
        return sum(share.ns for share in self.shares)

    def draw_header(self, out: Line, y: int) -> None:
        """Draw whose shares these are."""
        del y
        if self.group is None:
            return
        paint = paint_of(self)
        out.gap(1).add(paint.glyphs.words(self.group.key), paint.strong)
        out.add(f"  what {self.horizon} was made of, {formats.plural(self.taken, 'request')}", paint.dim)
        led = self.group.led_by.get(self.horizon, ())
        if led:
            out.add("; led by ", paint.dim)
            for cause, requests in led[:4]:
                out.add(f"{cause} ", paint.cause(cause)).add(f"{formats.count(requests)}  ", paint.text)

    def draw_row(self, out: Line, index: int, *, here: bool) -> None:
        """Draw a share, the heading of the calls, or a call."""
        del here
        if index < len(self.shares):
            self._share(out, self.shares[index])
        elif index == len(self.shares):
            self._calls_heading(out)
        else:
            self._call(out, self.calls[index - len(self.shares) - 1])

    def _share(self, out: Line, share: Share) -> None:
        paint, glyphs = paint_of(self), paint_of(self).glyphs
        out.gap(1).column(formats.percent(share.ns, self.sum_ns), 6, paint.strong, right=True)
        out.column(formats.duration(share.ns // self.taken if self.taken else None), 8, paint.text, right=True)
        track = Track(BAR, 0, self.sum_ns, glyphs)
        track.block(0, share.ns, paint.cause(share.cause, bold=True), None if paint.plain else paint.block(share.cause))
        out.paint(track.cells).gap(1).add(swatch(share.cause, paint), paint.cause(share.cause)).gap(1)
        out.column(share.cause, 13, paint.cause(share.cause, bold=True))
        owner = max(min(out.room - 16, 60), 10)
        shown = cut_seam(clean(glyphs.words(share.owner)), owner, glyphs.ellipsis, glyphs.arrow)
        out.column(shown, owner, paint.text)
        out.add(f"{glyphs.evidence.get(share.evidence, '?')} {share.evidence}", paint.dim)

    def _calls_heading(self, out: Line) -> None:
        paint = paint_of(self)
        out.gap(1).column("in", 6, paint.accent, right=True).column("mean", 8, paint.accent, right=True)
        out.column("from, to (means)", BAR, paint.accent).add(
            "calls on the critical path, in their usual order", paint.accent
        )

    def _call(self, out: Line, call: HeldBy) -> None:
        paint, glyphs = paint_of(self), paint_of(self).glyphs
        out.gap(1).column(formats.percent(call.requests, self.taken), 6, paint.text, right=True)
        out.column(formats.duration(call.mean_ns), 8, paint.strong, right=True)
        stretch = f"{formats.duration(call.mean_start_ns)} {glyphs.arrow} {formats.duration(call.mean_end_ns)}"
        out.column(stretch, BAR, paint.dim).add(call.operation, paint.text)
        out.gap(2).add(glyphs.words(call.seam or ""), paint.dim)
        if call.calls > call.requests:
            out.gap(2).add(f"{formats.count(call.calls)} calls", paint.warning)

    def draw_empty(self, out: Line, y: int) -> None:
        """Say why there is nothing."""
        if self.count == 0 and y == 0 and self.group is not None:
            out.gap(3).add(
                "Too few requests here, or a horizon that no span tells: p and s look at others", paint_of(self).dim
            )
