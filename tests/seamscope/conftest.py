"""A small store of hand-made results: a page with two serial calls and a database, an API route, a job, odd names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from seamscope.schema import tables
from seamscope.schema.words import CAUSES, EVIDENCE, SPAN_KINDS, TIERS, UNKNOWN, WARNINGS
from seamscope.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


MS = 1_000_000
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
SCHEMAS = {**tables.INGESTED, **tables.RESULTS, "owners": tables.OWNERS}
EPOCH_NS = 1_800_000_000_000_000_000
HOSTILE = "GET /<script>alert(1)</script>[/nope]\x1b]0;owned\x07\x1b[2J\u202e|`%_"
"""A route that tries markup, Rich markup, terminal commands, bidi and SQL wildcards at once."""


SERVICES = {"web": "render", "orders": "origin", "auth": "origin", "jobs": "worker"}


class Scene:
    """Builds requests of the example store, one after the other."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
        self.owners: dict[str, int] = {}
        self.rows["resources"].extend(
            [
                {
                    "resource_id": number,
                    "service": service,
                    "tier": TIERS.index(tier),
                    "attributes": [{"key": "service.name", "value": service}],
                }
                for number, (service, tier) in enumerate(SERVICES.items(), start=1)
            ],
        )

    def span(
        self,
        request_no: int,
        span: int,
        parent: int,
        service: str,
        kind: str,
        name: str,
        start: float,
        end: float,
        **more: Any,
    ) -> None:
        begin = EPOCH_NS + request_no * 1000 * MS
        self.rows["spans"].append(
            {
                **self.trace(request_no),
                "span_id": request_no * 100 + span,
                "parent_id": request_no * 100 + parent if parent else 0,
                "kind": SPAN_KINDS.index(kind),
                "name": name,
                "start_ns": begin + round(start * MS),
                "end_ns": begin + round(end * MS),
                "status": 0,
                "resource_id": [*SERVICES].index(service) + 1,
                "attributes": [{"key": "org_id", "value": str(request_no % 3)}],
                "commit_no": 1,
                **more,
            }
        )

    @staticmethod
    def trace(request_no: int) -> dict[str, int]:
        return {"trace_hi": 0xABCD_0000_0000_0000 + request_no, "trace_lo": 0xFFFF_0000_0000_0000 + request_no}

    def request(
        self, request_no: int, kind: int, route: str, shell: float | None, complete: float | None, **more: Any
    ) -> None:
        self.rows["requests"].append(
            {
                **self.trace(request_no),
                "request_no": request_no,
                "entry_span_id": request_no * 100 + 1,
                "kind": kind,
                "service": "web",
                "route": route,
                "method": "GET",
                "status": 200,
                "environment": "production",
                "place": "fra1",
                "start_ns": EPOCH_NS + request_no * 1000 * MS,
                "shell_ns": None if shell is None else round(shell * MS),
                "complete_ns": None if complete is None else round(complete * MS),
                "shell_evidence": UNKNOWN if shell is None else EVIDENCE.index("measured"),
                "complete_evidence": UNKNOWN if complete is None else EVIDENCE.index("measured"),
                "weight": 1.0,
                "spans": 6,
                "final": True,
                "revision": 0,
                **more,
            }
        )
        self.rows["request_traces"].append({"request_no": request_no, **self.trace(request_no), "joined_by": 0})

    def path(self, request_no: int, horizon: int, stretches: Sequence[tuple[float, str, str, str, int, int]]) -> None:
        at = 0
        for length, owner, cause, evidence, span, call in stretches:
            end = at + round(length * MS)
            self.rows["segments"].append(
                {
                    "request_no": request_no,
                    "horizon": horizon,
                    "start_ns": at,
                    "end_ns": end,
                    "span_id": request_no * 100 + span if span else 0,
                    "call_id": request_no * 100 + call if call else 0,
                    "owner_no": self.owner(owner),
                    "cause": CAUSES.index(cause),
                    "evidence": EVIDENCE.index(evidence),
                }
            )
            at = end

    def hop(
        self,
        request_no: int,
        client: int,
        server: int,
        seam: str,
        operation: str,
        start: float,
        length: float,
        served: float | None,
        **phases: Any,
    ) -> None:
        gap = None if served is None else length - served
        self.rows["hops"].append(
            {
                "request_no": request_no,
                **self.trace(request_no),
                "client_span_id": request_no * 100 + client,
                "server_span_id": request_no * 100 + server if server else 0,
                "seam_no": self.owner(seam),
                "operation": operation,
                "peer": seam.rpartition(":")[2],
                "status": 200,
                "error": False,
                "attempts": 1,
                "start_ns": EPOCH_NS + request_no * 1000 * MS + round(start * MS),
                "duration_ns": round(length * MS),
                "server_ns": None if served is None else round(served * MS),
                "gap_ns": None if gap is None else round(gap * MS),
                "gap_kind": 0 if server else 4,
                "request_leg_ns": None if gap is None else round(gap * MS * 3 / 4),
                "response_leg_ns": None if gap is None else round(gap * MS / 4),
                "leg_error_ns": None if gap is None else MS,
                "joined_by": 0,
                "async": False,
                **phases,
            }
        )

    def page(self, request_no: int, *, pool: float, route: str = "GET /dash", **more: Any) -> None:
        """A page: 10 ms render, a call of 50 + pool ms that waits for a database pool, one of 30, then streams."""
        first, second = 50 + pool, 30.0
        shell, complete = 20 + first + second, 60 + first + second
        self.request(request_no, 0, route, shell, complete, **more)
        self.span(request_no, 1, 0, "web", "server", "GET /dash", 0, complete)
        self.span(request_no, 2, 1, "web", "client", "fetch GET /v1/orders", 10, 10 + first)
        self.span(request_no, 3, 2, "orders", "server", "GET /v1/orders", 16, 8 + first)
        self.span(request_no, 4, 3, "orders", "client", "SELECT orders", 20 + pool, 6 + first)
        self.span(request_no, 5, 1, "web", "client", "fetch GET /v1/me", 10 + first, 10 + first + second)
        self.span(request_no, 6, 5, "auth", "server", "GET /v1/me", 14 + first, 8 + first + second)
        seam, data, auth = "render:web→origin:orders", "origin:orders→data:postgres/app", "render:web→origin:auth"
        stretches = [
            (10.0, "render:web", "render", "measured", 1, 0),
            (6.0, seam, "network", "bounded", 2, 2),
            (4.0, "origin:orders", "compute", "measured", 3, 2),
            (pool, "origin:orders", "pool_wait", "measured", 4, 2),
            (first - pool - 14, "data:postgres/app", "query", "measured", 4, 2),
            (2.0, "origin:orders", "compute", "measured", 3, 2),
            (2.0, seam, "unexplained", "unexplained", 2, 2),
            (4.0, auth, "tls", "measured", 5, 5),
            (second - 6, "origin:auth", "compute", "measured", 6, 5),
            (2.0, auth, "network", "bounded", 5, 5),
            (10.0, "render:web", "render", "measured", 1, 0),
        ]
        self.path(request_no, 0, stretches)
        self.path(request_no, 1, [*stretches, (40.0, "render:web", "transfer", "header", 1, 0)])
        self.hop(
            request_no,
            2,
            3,
            seam,
            "fetch GET /v1/orders",
            10,
            first,
            first - 8,
            network_ns=6 * MS,
            bounded_ns=6 * MS,
            unexplained_ns=2 * MS,
            reused=True,
        )
        self.hop(
            request_no, 4, 0, data, "SELECT orders", 20 + pool, first - pool - 14, None, pool_wait_ns=round(pool * MS)
        )
        self.hop(
            request_no,
            5,
            6,
            auth,
            "fetch GET /v1/me",
            10 + first,
            second,
            second - 6,
            tls_ns=4 * MS,
            network_ns=2 * MS,
            inferred_ns=2 * MS,
            caller_instance="web-1",
            callee_instance="auth-1",
            reused=False,
        )

    def api(self, request_no: int, *, length: float, **more: Any) -> None:
        self.request(request_no, 1, "GET /api/me", None, length, **{"status": 200, **more})
        self.span(request_no, 1, 0, "web", "server", "GET /api/me", 0, length)
        self.path(request_no, 1, [(length, "render:web", "compute", "measured", 1, 0)])

    def owner(self, owner: str) -> int:
        if owner not in self.owners:
            seam, (tier, _, service) = "→" in owner, owner.partition(":")
            self.owners[owner] = len(self.owners)
            self.rows["owners"].append(
                {
                    "owner_no": self.owners[owner],
                    "owner": owner,
                    "tier": UNKNOWN if seam else TIERS.index(tier),
                    "service": None if seam else service,
                    "seam": owner if seam else None,
                }
            )
        return self.owners[owner]

    def store(self, path: Path) -> Store:
        """Put the rows into a new store; the store numbers requests anew, in this order."""
        arrow = {name: _arrow(rows, SCHEMAS[name]) for name, rows in self.rows.items()}
        numbers = {row["request_no"]: place for place, row in enumerate(self.rows["requests"])}
        for name in tables.RESULTS:
            local = [numbers[number] for number in arrow[name]["request_no"].to_pylist()]
            arrow[name] = arrow[name].set_column(0, "request_no", pa.array(local, pa.int64()))
        opened = Store.open(path)
        opened.commit({name: arrow[name] for name in tables.INGESTED}, now_ns=EPOCH_NS)
        opened.write_results({name: arrow[name] for name in tables.RESULTS}, arrow["owners"])
        return opened


def _arrow(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{field.name: row.get(field.name) for field in schema} for row in rows], schema=schema)


def example_scene() -> Scene:
    scene = Scene()
    for number in range(1, 41):
        scene.page(number, pool=float(number), correlation_id=f"req-{number}")
    for number in range(41, 51):
        scene.api(number, length=float(number), status=500 if number == 50 else 200)
    scene.page(51, pool=5.0, route=HOSTILE, correlation_id="\x1b[31mred")
    scene.request(52, 4, "load route module", None, 3.0)
    scene.path(52, 1, [(3.0, "render:web", "compute", "measured", 1, 0)])
    scene.request(53, 3, "process orders", None, 20.0, service="jobs")
    scene.span(53, 1, 0, "jobs", "consumer", "process orders", 0, 20)
    scene.path(53, 1, [(20.0, "worker:jobs", "compute", "measured", 1, 0)])
    scene.api(54, length=7.0, environment="preview")
    scene.rows["warnings"].append(
        {
            "request_no": 51,
            **scene.trace(51),
            "span_id": 5103,
            "code": WARNINGS.index("outlives_parent"),
            "detail": HOSTILE,
        }
    )
    scene.rows["async_work"].append(
        {"request_no": 40, **scene.trace(53), "span_id": 5301, "queue_wait_ns": 5 * MS, "link": "link"}
    )
    return scene


@pytest.fixture
def scene() -> Scene:
    """A store to be: no requests yet."""
    return Scene()


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The example store, open."""
    with example_scene().store(tmp_path_factory.mktemp("example") / "example.duckdb") as opened:
        yield opened


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Give a function that compares a text with `tests/golden/<test>.txt` (SEAMSCOPE_UPDATE_GOLDEN=1 rewrites it)."""
    name = re.sub(r"[^a-z0-9]+", "_", request.node.name.removeprefix("test_").lower()).strip("_")
    path = GOLDEN / f"{name}.txt"

    def compare(text: str) -> None:
        if os.environ.get("SEAMSCOPE_UPDATE_GOLDEN") == "1":
            path.write_text(text, encoding="utf-8", newline="\n")
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def example_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example store as a closed file."""
    path = tmp_path_factory.mktemp("example") / "closed.duckdb"
    example_scene().store(path).close()
    return path
