"""A builder of stored results: requests with their spans and calls, as the rules read them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from analysis.findings import COLUMNS, Evidence, find, gather
from seamscope.schema.words import SPAN_KINDS

MS = 1_000_000


class Scene:
    """Makes requests out of spans in milliseconds; every request is a trace of its own."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
        self.last = 0

    def _id(self) -> int:
        self.last += 1
        return self.last

    def request(self, route: str = "GET /page", end: float = 100, at: float | None = None, **more: Any) -> int:
        """Begin a request (service `web`) with its entry span; gives the entry's id. Later calls belong to it."""
        number = len(self.rows["requests"])
        self.number = number
        self.trace = 1000 + number
        self.begin = int((at if at is not None else 10_000 * number) * MS)
        self.entry = self.span(None, 0, end, kind="server", service="web", url_path="/page", **more.pop("span", {}))
        self.rows["requests"].append(
            {
                "request_no": number,
                "trace_id": self.trace,
                "entry_span_id": self.entry,
                "service": "web",
                "route": route,
                "status": 200,
                "start_ns": self.begin,
                "complete_ns": int(end * MS),
                **more,
            }
        )
        self.rows["traces"].append({"request_no": number, "trace_id": self.trace})
        self.rows["ends"].append(
            {
                "request_no": number,
                "horizon": "complete",
                "span_id": self.entry,
                "at_ns": self.begin + int(end * MS),
                "horizon_ns": int(end * MS),
            }
        )
        return self.entry

    def shell(self, at: float) -> None:
        """Say when the first byte of the request at hand came, in its entry span."""
        self.rows["requests"][-1]["shell_ns"] = int(at * MS)
        last = self.rows["ends"][-1]
        self.rows["ends"].append(
            {**last, "horizon": "shell", "at_ns": self.begin + int(at * MS), "horizon_ns": int(at * MS)}
        )

    def span(self, parent: int | None, start: float, end: float, kind: str = "internal", **more: Any) -> int:
        """Add a span of the request at hand."""
        number = self._id()
        self.rows["spans"].append(
            {
                "trace_id": self.trace,
                "span_id": number,
                "parent_span_id": parent,
                "kind": SPAN_KINDS.index(kind),
                "role": "none",
                "start_ns": self.begin + int(start * MS),
                "end_ns": self.begin + int(end * MS),
                "resource_id": 1,
                "service": "web",
                **more,
            }
        )
        return number

    def call(
        self,
        start: float,
        end: float,
        seam: str = "render:web→origin:orders",
        parent: int | None = None,
        served: tuple[float, float] | None = None,
        span: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        **more: Any,
    ) -> tuple[int, int | None]:
        """Add a call below the entry (or `parent`) and what it was served by; phases and such in `more`."""
        caller, _, callee = (part.partition(":")[2] for part in seam.partition("→"))
        client = self.span(parent or self.entry, start, end, "client", **{"service": caller, **(span or {})})
        answer = None
        if served is not None:
            answer = self.span(client, *served, "server", **{"service": callee, **(server or {})})
        self.rows["hops"].append(
            {
                "request_no": self.number,
                "trace_id": self.trace,
                "client_span_id": client,
                "server_span_id": answer,
                "seam": seam,
                "caller_instance": "one",
                "operation": "GET /v1/thing",
                "error": False,
                "attempts": 1,
                "start_ns": self.begin + int(start * MS),
                "duration_ns": int((end - start) * MS),
                "joined_by": "trace_context",
                "async": False,
                **more,
            }
        )
        return client, answer

    def stretch(self, start: float, end: float, span: int, owner: str, cause: str) -> None:
        """Add a stretch of the path of the request at hand."""
        self.rows["path"].append(
            {
                "request_no": self.number,
                "start_ns": int(start * MS),
                "end_ns": int(end * MS),
                "span_id": span,
                "owner": owner,
                "cause": cause,
            }
        )

    def evidence(self, essential: Any = lambda *_: None) -> Evidence:
        """Tie it together."""
        frames = {name: pl.DataFrame(self.rows[name], columns, orient="row") for name, columns in COLUMNS.items()}
        return gather(frames, essential)

    def found(self, essential: Any = lambda *_: None) -> dict[str, list[dict[str, Any]]]:
        """Give findings by rule, each with its `costs`: request → milliseconds."""
        findings, requests = find(self.evidence(essential))
        found: dict[str, list[dict[str, Any]]] = {}
        for row in findings.to_dicts():
            own = requests.filter(pl.col("finding_id") == row["finding_id"])
            costs = {one["request_no"]: one["cost_ns"] / MS for one in own.to_dicts()}
            proof = {one["request_no"]: one["span_ids"] for one in own.to_dicts()}
            found.setdefault(row["rule"], []).append({**row, "costs": costs, "proof": proof})
        return found


@pytest.fixture
def scene() -> Scene:
    return Scene()
