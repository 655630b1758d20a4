"""A small language for traces: spans by name, times in milliseconds, words instead of codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from analysis import LINK_INPUT, Peers, Results, Walk, analyse
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Callable

MS = 1_000_000
EPOCH = 1_700_000_000_000_000_000
CODES = {"role": words.ROLES, "extent": words.EXTENTS, "kind": words.SPAN_KINDS, "tier_hint": words.TIERS}
TYPES: dict[str, Any] = {
    "trace_hi": pl.UInt64,
    "trace_lo": pl.UInt64,
    "span_id": pl.UInt64,
    "parent_id": pl.UInt64,
    "resource_id": pl.UInt64,
    "kind": pl.UInt8,
    "role": pl.UInt8,
    "extent": pl.UInt8,
    "tier_hint": pl.UInt8,
    "status": pl.UInt8,
    "flags": pl.UInt32,
    "grain_ns": pl.UInt32,
    "http_status": pl.Int16,
    "resend_count": pl.Int16,
    "peer_port": pl.Int32,
    "reused": pl.Boolean,
    "was_idle": pl.Boolean,
    "weight": pl.Float64,
}
REMOTE, LOCAL = 0x300, 0x100


def ns(ms: float) -> int:
    """Milliseconds as nanoseconds."""
    return round(ms * MS)


@dataclass(frozen=True)
class Piece:
    """A segment in words; times in milliseconds from the request's start."""

    start: float
    end: float
    owner: str
    cause: str
    evidence: str
    span: str | None
    call: str | None

    @property
    def ms(self) -> float:
        """Its length."""
        return round(self.end - self.start, 6)


@dataclass
class Told:
    """Results in words."""

    results: Results
    names: dict[tuple[int, int], str]
    owners: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.owners = dict(self.results.owners.select("owner_no", "owner").rows())

    def requests(self) -> list[dict[str, Any]]:
        """Requests in the order of their start."""
        rows = self.results["requests"].sort("start_ns", "entry_span_id").to_dicts()
        for row in rows:
            row["entry"] = self.names[row["trace_lo"], row["entry_span_id"]]
            row["kind"] = words.REQUEST_KINDS[row["kind"]]
            row["dominant"] = (
                None
                if row["dominant_owner_no"] is None
                else (self.owners[row["dominant_owner_no"]], words.CAUSES[row["dominant_cause"]])
            )
            for horizon in ("shell", "complete"):
                value, code = row[f"{horizon}_ns"], row[f"{horizon}_evidence"]
                row[horizon] = None if value is None else value / MS
                row[f"{horizon}_evidence"] = None if code == words.UNKNOWN else words.EVIDENCE[code]
        return rows

    def request(self, entry: str | None = None) -> dict[str, Any]:
        """The one request, or the one whose entry span has this name."""
        found = [row for row in self.requests() if entry is None or row["entry"] == entry]
        assert len(found) == 1, [row["entry"] for row in self.requests()]
        return found[0]

    def path(self, horizon: str = "complete", entry: str | None = None) -> list[Piece]:
        """Segments of one request's horizon."""
        request = self.request(entry)
        rows = self.results["segments"].filter(
            (pl.col("request_no") == request["request_no"]) & (pl.col("horizon") == words.code(words.HORIZONS, horizon))
        )
        trace = request["trace_lo"]
        return [
            Piece(
                row["start_ns"] / MS,
                row["end_ns"] / MS,
                self.owners[row["owner_no"]],
                words.CAUSES[row["cause"]],
                words.EVIDENCE[row["evidence"]],
                self.names.get((trace, row["span_id"])),
                self.names.get((trace, row["call_id"])),
            )
            for row in rows.to_dicts()
        ]

    def brief(self, horizon: str = "complete", entry: str | None = None) -> list[tuple[str, str, float]]:
        """Owner, cause and milliseconds of each segment; neighbours alike put together."""
        found: list[tuple[str, str, float]] = []
        for piece in self.path(horizon, entry):
            if found and found[-1][:2] == (piece.owner, piece.cause):
                found[-1] = (piece.owner, piece.cause, round(found[-1][2] + piece.ms, 6))
            else:
                found.append((piece.owner, piece.cause, piece.ms))
        return found

    def hops(self) -> list[dict[str, Any]]:
        """Hops in the order of their start; ids as names."""
        rows = self.results["hops"].sort("start_ns", "client_span_id", "server_span_id").to_dicts()
        for row in rows:
            row["client_span"] = self.names.get((row["trace_lo"], row["client_span_id"]))
            row["server_span"] = self.names.get((row["trace_lo"], row["server_span_id"]))
            row["seam"] = self.owners[row["seam_no"]]
            row["gap_kind"] = words.GAP_KINDS[row["gap_kind"]]
            for name in [name for name in row if name.endswith("_ns") and name != "start_ns"]:
                row[name[:-3]] = None if row[name] is None else row[name] / MS
        return rows

    def hop(self, client: str) -> dict[str, Any]:
        """The hop of a client span."""
        found = [row for row in self.hops() if row["client_span"] == client]
        assert len(found) == 1, [row["client_span"] for row in self.hops()]
        return found[0]

    def warnings(self) -> set[tuple[str, str | None]]:
        """(code, span)."""
        rows = self.results["warnings"].to_dicts()
        return {(words.WARNINGS[row["code"]], self.names.get((row["trace_lo"], row["span_id"]))) for row in rows}

    def background(self) -> list[tuple[str, str | None, float | None, str]]:
        """Asynchronous work: entry of the request, span, milliseconds in the queue, how it is known."""
        entries = {row["request_no"]: row["entry"] for row in self.requests()}
        return sorted(
            (
                entries[row["request_no"]],
                self.names.get((row["trace_lo"], row["span_id"])),
                None if row["queue_wait_ns"] is None else row["queue_wait_ns"] / MS,
                row["link"],
            )
            for row in self.results["async_work"].to_dicts()
        )


class Traces:
    """Spans as they would be stored."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.services: dict[str, dict[str, Any]] = {}
        self.links: list[dict[str, Any]] = []

    def service(self, name: str, tier: str = "origin", **facts: Any) -> str:
        """Add a resource; gives its name."""
        number = len(self.services) + 1
        self.services[name] = {
            "resource_id": number,
            "service": facts.pop("called", name),
            "instance": facts.pop("instance", f"host-{name}"),
            "pooled": facts.pop("pooled", False),
            "tier": words.code(words.TIERS, tier),
            "service_version": None,
            "environment": "test",
            "place": None,
            "sdk": facts.pop("sdk", "opentelemetry"),
        }
        return name

    def span(  # one line per span in the tests
        self,
        name: str,
        kind: str,
        service: str,
        start: float,
        end: float,
        parent: str | int | None = None,
        trace: int = 1,
        **columns: Any,
    ) -> str:
        """Add a span; `parent` is a name in the same trace, or an id that was never received."""
        if service not in self.services:
            self.service(service)
        row = {
            "trace_hi": 77,
            "trace_lo": trace,
            "span_id": columns.pop("span_id", len(self.rows) + 1001),
            "parent_id": parent,
            "kind": kind,
            "flags": columns.pop("flags", 0),
            "start_ns": EPOCH + ns(start),
            "end_ns": EPOCH + ns(end),
            "status": 0,
            "weight": 1.0,
            "resource_id": self.services[service]["resource_id"],
            "role": "none",
            "extent": "unknown",
            "tier_hint": "unknown",
            "grain_ns": 1,
            "operation": name,
            "name": name,
            "ingested_ns": EPOCH,
        }
        for column, value in columns.items():
            row[column] = value
            if column.endswith("_ns") and column != "grain_ns":
                row[column] = ns(value) + (EPOCH if column in {"queued_at_ns", "enqueued_ns"} else 0)
        self.rows.append(row)
        return name

    def link(self, span: str, to: str, trace: int = 1, to_trace: int = 1) -> None:
        """Link a span to another."""
        self.links.append({"from": (trace, span), "to": (to_trace, to)})

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Spans, resources and links as frames."""
        ids = {(row["trace_lo"], row["name"]): row for row in self.rows}
        made = []
        for row in self.rows:
            parent = row["parent_id"]
            named = ids[row["trace_lo"], parent]["span_id"] if isinstance(parent, str) else parent or 0
            told = {**row, "parent_id": named}
            for column, vocabulary in CODES.items():
                told[column] = words.code(vocabulary, row[column])
            made.append(told)
        spans = pl.DataFrame(made, infer_schema_length=None)
        spans = spans.with_columns(pl.col(name).cast(TYPES.get(name, spans.schema[name])) for name in spans.columns)
        resources = pl.DataFrame(list(self.services.values()), infer_schema_length=None).with_columns(
            pl.col("resource_id").cast(pl.UInt64), pl.col("tier").cast(pl.UInt8)
        )
        links = [
            {
                "trace_hi": 77,
                "trace_lo": link["from"][0],
                "span_id": ids[link["from"]]["span_id"],
                "kind": words.code(words.SPAN_KINDS, ids[link["from"]]["kind"]),
                "linked_trace_hi": 77,
                "linked_trace_lo": link["to"][0],
                "linked_span_id": ids[link["to"]]["span_id"],
            }
            for link in self.links
        ]
        schema = {name: pl.UInt8 if name == "kind" else pl.UInt64 for name in LINK_INPUT}
        return spans, resources, pl.DataFrame(links, schema=schema)

    def told(self, rules: Any = None, peers: Peers | None = None, walk: Walk | None = None) -> Told:
        """Analyse, and check what must hold of every result."""
        spans, resources, links = self.frames()
        given: dict[str, Any] = {"rules": rules, "peers": peers, "walk": walk}
        results = analyse(
            spans, resources, links, **{name: value for name, value in given.items() if value is not None}
        )
        check(results)
        return Told(results, {(row["trace_lo"], row["span_id"]): row["name"] for row in self.rows})


def check(results: Results) -> None:
    """Segments are contiguous, disjoint, and sum to their horizon; nothing is negative; no stage failed."""
    failed = words.code(words.WARNINGS, "stage_failed")
    assert results["warnings"].filter(pl.col("code") == failed).get_column("detail").to_list() == []
    requests = results["requests"]
    for code, horizon in enumerate(words.HORIZONS):
        segments = results["segments"].filter(pl.col("horizon") == code)
        known = requests.filter(pl.col(f"{horizon}_ns").is_not_null())
        assert (known.get_column(f"{horizon}_ns") >= 0).all()
        assert (known.get_column(f"{horizon}_evidence") != words.UNKNOWN).all()
        assert segments.join(known, on="request_no", how="anti").height == 0
        lengths = segments.get_column("end_ns") - segments.get_column("start_ns")
        assert (lengths > 0).all()
        summed = segments.group_by("request_no").agg(
            total=(pl.col("end_ns") - pl.col("start_ns")).sum(),
            last=pl.col("end_ns").last(),
            first=pl.col("start_ns").first(),
        )
        joined = known.join(summed, on="request_no", how="left").fill_null(0)
        np.testing.assert_array_equal(joined[f"{horizon}_ns"].to_numpy(), joined["total"].to_numpy())
        np.testing.assert_array_equal(joined["first"].to_numpy(), 0)
        np.testing.assert_array_equal(joined[f"{horizon}_ns"].to_numpy(), joined["last"].to_numpy())
        gaps = segments.select(
            (pl.col("start_ns") - pl.col("end_ns").shift(1).over("request_no")).fill_null(0).alias("gap")
        )
        assert (gaps.get_column("gap") == 0).all()
    hops = results["hops"]
    for name in hops.columns:
        if name.endswith("_ns") and name != "start_ns":
            assert (hops.get_column(name).drop_nulls() >= 0).all(), name
    known_gap = hops.filter(pl.col("gap_ns").is_not_null())
    phases = [f"{name}_ns" for name in words.CAUSES if f"{name}_ns" in hops.columns]
    handed_out = known_gap.select(pl.sum_horizontal(phases)).to_series()
    assert (handed_out <= known_gap.get_column("gap_ns")).all()
    known_how = known_gap.select(pl.sum_horizontal("header_ns", "bounded_ns", "inferred_ns")).to_series()
    assert (known_how <= known_gap.get_column("gap_ns") - known_gap.get_column("unexplained_ns")).all()
    assert requests.get_column("request_no").to_list() == list(range(requests.height))


@pytest.fixture
def traces() -> Traces:
    """No spans yet."""
    return Traces()


@pytest.fixture
def many() -> Callable[[], Traces]:
    """Make several sets of spans."""
    return Traces


Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"


@pytest.fixture
def recorded() -> Callable[[str], Frames]:
    """Read a recording as frames: spans, resources, links."""

    def read(sample: str) -> Frames:
        from collector.files import iter_bodies
        from collector.ingest import ingest

        tables = ingest(list(iter_bodies(SAMPLES / sample / "traces.otlp.pb.zst"))).tables
        return pl.DataFrame(tables["spans"]), pl.DataFrame(tables["resources"]), pl.DataFrame(tables["span_links"])

    return read
