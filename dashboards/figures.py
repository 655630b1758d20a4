"""Results as Plotly figures: plain dictionaries, deterministic, checked against Plotly's own schema in tests.

Plotly reads a little HTML in its texts, so every name is escaped here. Grounds and inks are left to the page, which
knows whether it is dark.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from seamscope.palette import cause_hex, ink
from seamscope.schema.words import TIERS
from seamscope.text.figures import duration, percent
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seamscope.results import Group, Percentiles, SeamRow, Share

Figure = dict[str, Any]
Href = Callable[[str], str]
"""A group's key → the page about it."""

MS: Final = 1_000_000
GROUPS_DRAWN: Final = 20
NAME_SHOWN: Final = 90
UNKNOWN_CAUSES: Final = frozenset({"unexplained", "unobserved"})

_ROW_PX: Final = 52
_FOOT_PX: Final = 64
_SHAPES: Final = ("circle", "diamond", "triangle-up", "circle")
"""Of p50, p95, p99, and of the break between two groups."""

_FLOW: Final = {
    tier: 2 * place for place, tier in enumerate(("browser", "edge", "render", "origin", "data", "external"))
}


def named(text: str | None) -> str:
    """Give a name for a figure: harmless, uninterpreted, not too long."""
    return html.escape(safe(text or "(not known)", NAME_SHOWN), quote=False)


def flow(owner: str, cause: str) -> int:
    """Give an owner's place on the way from outside to inside; what nobody knows comes last."""
    if cause == "unexplained":
        return 100
    caller, _, callee = owner.partition("→")
    place = _FLOW.get(caller.partition(":")[0], 2 * len(TIERS))
    return place + 1 if callee else place


def made_of(groups: Sequence[Group], horizon: str, href: Href) -> Figure | None:
    """Draw what the requests of each group are made of: a bar per group, a piece per owner, cause and evidence."""
    drawn = [group for group in groups if group.requests_in.get(horizon)][:GROUPS_DRAWN]
    if not drawn:
        return None
    pieces: dict[tuple[str, str, str], dict[int, int]] = defaultdict(dict)
    for place, group in enumerate(drawn):
        for share in group.shares[horizon]:
            pieces[share.owner, share.cause, share.evidence][place] = share.ns
    ordered = sorted(pieces, key=lambda key: (flow(key[0], key[1]), key))
    traces = [_piece(key, pieces[key], drawn, horizon, href) for key in ordered]
    ends = [_mean(group, horizon) for group in drawn]
    return {"data": traces, "layout": _bars_layout([group.key for group in drawn], ends)}


def _mean(group: Group, horizon: str) -> float:
    return sum(share.ns for share in group.shares[horizon]) / group.requests_in[horizon]


def _piece(
    key: tuple[str, str, str],
    found: Mapping[int, int],
    groups: Sequence[Group],
    horizon: str,
    href: Href,
) -> Figure:
    owner, cause, evidence = key
    places = sorted(found)
    means = {place: found[place] / groups[place].requests_in[horizon] for place in places}
    about = f"<b>{cause}</b> {named(owner)}<br>{evidence}"
    return {
        "type": "bar",
        "orientation": "h",
        "name": f"{cause} {named(owner)}",
        "y": places,
        "x": [means[place] / MS for place in places],
        "width": 0.5,
        "text": [f"{cause} {named(owner.rpartition(':')[2])}" for _ in places],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "insidetextfont": {"color": ink(cause_hex(cause)), "size": 11},
        "marker": _marker(cause, evidence),
        "customdata": [
            [about, duration(round(means[place])), percent(round(means[place]), round(_mean(groups[place], horizon))),
             href(groups[place].key)]
            for place in places
        ],
        "hovertemplate": "%{customdata[0]}<br>%{customdata[1]} (%{customdata[2]})<extra></extra>",
    }  # fmt: skip


def _marker(cause: str, evidence: str) -> Figure:
    """Give a piece's fill: hatched where nobody knows, dotted where it is inferred."""
    colour = cause_hex(cause)
    marker: Figure = {"color": colour, "line": {"width": 1}}
    if cause in UNKNOWN_CAUSES:
        marker["pattern"] = {"shape": "/", "size": 7, "solidity": 0.45, "fillmode": "overlay", "fgcolor": "#ffffff"}
    elif evidence == "inferred":
        marker["pattern"] = {"shape": ".", "size": 6, "solidity": 0.3, "fillmode": "overlay", "fgcolor": ink(colour)}
    return marker


def _bars_layout(keys: Sequence[str], ends_ns: Sequence[float]) -> Figure:
    """Lay bars out with each group's name above its bar and its length at its end: fits narrow windows too."""
    names = [
        {"text": named(key), "x": 0, "xref": "paper", "xanchor": "left", "y": place, "yshift": 21, "showarrow": False}
        for place, key in enumerate(keys)
    ]
    ends = [
        {"text": duration(round(ns)), "x": ns / MS, "xanchor": "left", "xshift": 4, "y": place, "showarrow": False}
        for place, ns in enumerate(ends_ns)
    ]
    return {
        "barmode": "stack",
        "height": len(keys) * _ROW_PX + _FOOT_PX,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 40},
        "showlegend": False,
        "xaxis": {"title": _title("ms per request"), "range": [0, max(ends_ns) / MS * 1.16 or 1]},
        "yaxis": {"visible": False, "range": [len(keys) - 0.5, -0.62], "fixedrange": True},
        "uniformtext": {"mode": "hide", "minsize": 9},
        "annotations": [*names, *ends],
    }  # fmt: skip


def _title(words: str) -> Figure:
    return {"text": words, "font": {"size": 11}}


def percentile_spans(groups: Sequence[Group], href: Href) -> Figure | None:
    """Draw p50, p95 and p99 of both horizons for each group, a line from the first to the last."""
    drawn = [group for group in groups if group.shell.count or group.complete.count][:GROUPS_DRAWN]
    if not drawn:
        return None
    traces = [
        trace
        for horizon, shift in (("shell", -0.13), ("complete", 0.17))
        for trace in _spans_of(drawn, horizon, shift, href)
    ]
    found = [ns for group in drawn for ns in _points(getattr(group, horizon_of(group)))]
    layout = _bars_layout([group.key for group in drawn], [1.0] * len(drawn))
    wide = bool(found) and max(found) > 50 * max(1, min(found))
    layout["xaxis"] = {"title": _title("ms"), "rangemode": "tozero", "type": "log" if wide else "linear"}
    layout["annotations"] = layout["annotations"][: len(drawn)]
    layout["showlegend"] = True
    layout["legend"] = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    layout["margin"] = {"l": 8, "r": 16, "t": 44, "b": 40}
    return {"data": traces, "layout": layout}


def horizon_of(group: Group) -> str:
    """Give the first horizon of a group that is known."""
    return "shell" if group.shell.count else "complete"


def _points(found: Percentiles) -> list[int]:
    return [ns for ns in (found.p50_ns, found.p95_ns, found.p99_ns) if ns is not None]


def _spans_of(groups: Sequence[Group], horizon: str, shift: float, href: Href) -> list[Figure]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    about: list[list[str]] = []
    opened = "" if horizon == "shell" else "-open"
    for place, group in enumerate(groups):
        found: Percentiles = getattr(group, horizon)
        for point, ns in zip(("p50", "p95", "p99"), (found.p50_ns, found.p95_ns, found.p99_ns), strict=True):
            xs.append(None if ns is None else ns / MS)
            ys.append(place + shift)
            about.append([f"{named(group.key)}<br>{horizon} {point}", duration(ns), f"{found.count}", href(group.key)])
        xs, ys, about = [*xs, None], [*ys, None], [*about, ["", "", "", ""]]
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"{horizon} p50 ● p95 ◆ p99 ▲",
            "x": xs,
            "y": ys,
            "line": {"width": 2, "dash": "solid" if horizon == "shell" else "dot"},
            "marker": {
                "size": 10,
                "symbol": [f"{shape}{opened}" for _ in groups for shape in _SHAPES],
                "line": {"width": 2},
            },
            "customdata": about,
            "hovertemplate": "%{customdata[0]}<br>%{customdata[1]} over %{customdata[2]} requests<extra></extra>",
            "meta": {"ink": horizon},
        }
    ]


def seam_phases(rows: Sequence[SeamRow], href: Href) -> Figure | None:
    """Draw the mean phases of each seam's hops, what is unexplained hatched at the end."""
    drawn = [row for row in rows if any(row.phases.values())][:GROUPS_DRAWN]
    if not drawn:
        return None
    phases = sorted(
        {phase for row in drawn for phase, ns in row.phases.items() if ns}, key=lambda p: (p == "unexplained",)
    )
    traces = [_phase(phase, drawn, href) for phase in phases]
    ends = [sum(row.phases.values()) / row.hops for row in drawn]
    layout = _bars_layout([row.seam for row in drawn], ends)
    layout["xaxis"]["title"] = _title("ms per hop")
    return {"data": traces, "layout": layout}


def _phase(phase: str, rows: Sequence[SeamRow], href: Href) -> Figure:
    places = [place for place, row in enumerate(rows) if row.phases.get(phase)]
    means = {place: rows[place].phases[phase] / rows[place].hops for place in places}
    return {
        "type": "bar",
        "orientation": "h",
        "name": phase,
        "y": places,
        "x": [means[place] / MS for place in places],
        "width": 0.5,
        "text": [phase] * len(places),
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "insidetextfont": {"color": ink(cause_hex(phase)), "size": 11},
        "marker": _marker(phase, "measured"),
        "customdata": [
            [_known_on(phase, rows[place]), duration(round(means[place])), "", href(rows[place].seam)]
            for place in places
        ],
        "hovertemplate": "%{customdata[0]}<br>%{customdata[1]} per hop<extra></extra>",
    }  # fmt: skip


def _known_on(phase: str, row: SeamRow) -> str:
    return f"<b>{phase}</b> {named(row.seam)}<br>known on {row.phase_hops[phase]} of {row.hops} hops"


def share_pieces(shares: Sequence[Share]) -> list[tuple[str, str, str, float, int]]:
    """Give (cause, owner, evidence, share of the whole, ns) from outside to inside, for bars drawn without Plotly."""
    whole = sum(share.ns for share in shares)
    ordered = sorted(shares, key=lambda share: (flow(share.owner, share.cause), -share.ns))
    return [(s.cause, s.owner, s.evidence, s.ns / whole if whole else 0.0, s.ns) for s in ordered]
