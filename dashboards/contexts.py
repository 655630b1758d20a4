"""What each page's template receives: frozen, typed, nothing else reaches a template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboards.figures import Figure
    from dashboards.tables import Table
    from seamscope.results import AsyncWork, TraceWarning


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure with its name, where it leads, and what it counts."""

    name: str
    text: str
    href: str | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a bar drawn without Plotly."""

    cause: str
    evidence: str
    title: str
    start: float
    """Per cent of the bar's length."""
    length: float


@dataclass(frozen=True, slots=True)
class Call:
    """A call that held a horizon, on the scale of the horizon."""

    operation: str
    seam: str
    mean: str
    requests: str
    start: float
    length: float


@dataclass(frozen=True, slots=True)
class Held:
    """A horizon: how long, and who and what held it."""

    horizon: str
    facts: tuple[Fact, ...]
    about: str
    pieces: tuple[Piece, ...]
    table: Table | None
    calls: tuple[Call, ...] = ()
    missing: str = ""
    """Why there is nothing to draw."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, its name for those who do not see it, and the table with the same numbers."""

    name: str
    title: str
    about: str
    figure: Figure | None
    table: Table | None
    group: str = ""
    """Charts of one group stand side by side, one variant shown at a time."""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What every page has."""

    title: str
    root: str
    """From the page to the folder's top: empty, or `../`."""
    facts: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexPage:
    """`index.html`: the whole boundary at a glance."""

    page: Page
    held: tuple[Held, ...]
    made_of: tuple[Chart, ...]
    percentiles: Chart
    metrics: Table | None
    seams: Table
    seams_chart: Chart
    unknown: tuple[Fact, ...]
    warnings: Table | None
    slowest: Table | None


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A route's page."""

    page: Page
    facts: tuple[Fact, ...]
    held: tuple[Held, ...]
    typical: tuple[Held, ...]
    metrics: Table | None
    slowest: Table | None


@dataclass(frozen=True, slots=True)
class SeamPage:
    """A seam's page."""

    page: Page
    facts: tuple[Fact, ...]
    pieces: tuple[Piece, ...]
    phases: Table
    gaps: Table
    known_by: Table | None
    lacking: Table | None
    widest: Table | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of a waterfall's line, in per cent of the drawing's width."""

    look: str
    """Class that colours it."""
    start: float
    length: float
    title: str
    thin: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the waterfall."""

    kind: str
    depth: int
    name: str
    who: str
    tier: str
    length: str
    held: str
    is_async: bool
    failed: bool
    bars: tuple[Bar, ...]
    notes: tuple[str, ...]
    about: str
    anchor: str


@dataclass(frozen=True, slots=True)
class RequestPage:
    """One request on a page of its own."""

    page: Page
    held: tuple[Held, ...]
    lines: tuple[Line, ...]
    left_out_lines: int
    ticks: tuple[tuple[float, str], ...]
    """(per cent of the width, words)."""
    shell_at: float | None
    complete_at: float | None
    hops: Table | None
    logs: Table | None
    left_out_logs: int
    findings: tuple[tuple[str, str, str], ...]
    """(rule and cost, message, next step) of each."""
    inferred: tuple[str, ...]
    """The statistic behind each cause that no span tells, a sentence each."""
    unexplained: tuple[tuple[str, tuple[str, ...]], ...]
    """(how much and where, what would tell it)."""
    instruments: tuple[str, ...]
    """What pools and servers said of the request's waits, a sentence each."""
    warnings: tuple[TraceWarning, ...]
    async_work: tuple[AsyncWork, ...]
    links: tuple[tuple[str, str], ...]
    """(words, href): where else this request is drawn."""
