"""The verdict on a request: how long, how that is known, and who held it, largest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui import formats
from tui.lines import cells, clean
from tui.ribbons import swatch

if TYPE_CHECKING:
    from rich.style import Style

    from seamscope.results import RequestDetail, Share
    from tui.paint import Paint

    Words = list[tuple[str, Style]]


def verdict(detail: RequestDetail, horizon: str, width: int, lines: int, paint: Paint) -> list[Words]:
    """Give the verdict as lines of styled words, `width` cells at most; shares without room are counted."""
    whole_ns = detail.row.shell_ns if horizon == "shell" else detail.row.complete_ns
    if whole_ns is None:
        return [[(f"{horizon} is not known", paint.warning), (": no span says when that byte was sent", paint.dim)]]
    evidence = detail.shell_evidence if horizon == "shell" else detail.complete_evidence
    start = [(f"{horizon} {formats.duration(whole_ns)}", paint.strong), (f" {evidence or 'not known'}: ", paint.dim)]
    shares = detail.by_cause.get(horizon, ())
    drawn, used = [start], _width(start)
    for place, share in enumerate(shares):
        words = _share(share, whole_ns, paint)
        last = len(drawn) == lines
        left = f"+ {formats.plural(len(shares) - place, 'more cause')}"
        if used + _width(words) > width - (len(left) + 2 if last and place < len(shares) - 1 else 0):
            if last:
                drawn[-1].append((left, paint.dim))
                break
            drawn.append([("  ", paint.text)])
            used = 2
        drawn[-1].extend(words)
        used += _width(words)
    return drawn


def _share(share: Share, whole_ns: int, paint: Paint) -> Words:
    mark = paint.glyphs.evidence.get(share.evidence, "?")
    return [
        (swatch(share.cause, paint), paint.cause(share.cause, bold=True)),
        (f" {formats.percent(share.ns, whole_ns)} ", paint.strong),
        (f"{clean(paint.glyphs.words(share.owner))} ", paint.text),
        (f"{share.cause} ", paint.cause(share.cause, bold=True)),
        (f"{formats.duration(share.ns)} {mark}   ", paint.dim),
    ]


def _width(words: Words) -> int:
    return sum(cells(text) for text, _ in words)
