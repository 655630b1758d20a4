"""Pools, keep-alive, backlogs and distance: what each rule takes for its own, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.analysis.findings.conftest import Scene

MS = 1_000_000
DATA = "origin:orders→data:postgres/app"
PGX = {"scope": "github.com/exaring/otelpgx", "db_system": "postgresql"}


def pool_scene(scene: Any, waits: list[float], *, at_once: bool) -> None:
    """Requests that wait for a connection so long, each for a statement of 40 ms; all at once or far apart."""
    for number, wait in enumerate(waits):
        scene.request(end=wait + 60, at=number * (0 if at_once else 5_000))
        scene.span(scene.entry, 10, 10 + wait, "client", role="pool_wait", **PGX)
        scene.call(10 + wait, 50 + wait, DATA, span=PGX, pool_wait_ns=int(wait * MS), operation="SELECT orders")


def test_a_pool_that_has_nothing_left(scene: Scene) -> None:
    pool_scene(scene, [0.001, 41, 82, 123], at_once=True)
    (finding,) = scene.found()["pool_exhausted"]
    assert finding["costs"] == {1: 41, 2: 82, 3: 123}
    assert (finding["seam"], finding["route"]) == (DATA, None)
    assert "up to 4 calls wanted one at once, at most 1 had it" in finding["message"]
    assert finding["next_step"].startswith("Set pool_max_conns=4 in the pgx connection string")


def test_a_wait_that_no_span_shows_is_the_calls_beginning(scene: Scene) -> None:
    """Four calls at once, of 40 ms each over one connection: one runs, however long the others' spans are."""
    for number in range(4):
        scene.request(end=200, at=0)
        scene.call(0, 40 + 40 * number, served=(40 * number, 40 + 40 * number), pool_wait_ns=40 * number * MS)
    (finding,) = scene.found()["pool_exhausted"]
    assert "up to 4 calls wanted one at once, at most 1 had it" in finding["message"]
    assert finding["costs"] == {1: 40, 2: 80, 3: 120}


def test_how_many_had_a_connection_is_not_said_where_waits_are_inferred(scene: Scene) -> None:
    """The third call waited too, but not so surely that its wait was inferred: it had none while it waited."""
    for number, sure in enumerate([False, True, False, True]):
        wait = 40 * number * MS
        told: dict[str, Any] = {"pool_wait_ns": wait, "inferred_ns": wait} if sure else {}
        scene.request(end=200, at=0)
        scene.call(0, 40 + 40 * number, served=(40 * number, 40 + 40 * number), **told)
    scene.request(end=200, at=0)
    scene.call(0, 200, served=(160, 200), pool_wait_ns=160 * MS, inferred_ns=160 * MS)
    (finding,) = scene.found()["pool_exhausted"]
    assert finding["message"].endswith("up to 5 calls wanted one at once")


def test_a_wait_that_statements_tell_of_lies_before_them(scene: Scene) -> None:
    """Four at once, of 40 ms each over one connection, and no span for the wait: it is their callers' own time."""
    for number in range(4):
        wait = 40 * number
        scene.request(end=60 + wait, at=0)
        scene.call(10 + wait, 50 + wait, DATA, pool_wait_ns=wait * MS, operation="SELECT orders")
    (finding,) = scene.found()["pool_exhausted"]
    assert "up to 4 calls wanted one at once, at most 1 had it" in finding["message"]
    assert finding["costs"] == {1: 40, 2: 80, 3: 120}


def test_a_setup_that_statements_tell_of_lies_before_them(scene: Scene) -> None:
    for _ in range(6):
        scene.request(end=200)
        scene.call(160, 165, DATA, setup_ns=150 * MS, operation="SELECT orders")
    assert scene.found()["cold_connections"][0]["costs"] == dict.fromkeys(range(6), 150)


def test_a_wait_while_nobody_has_a_connection_is_no_exhaustion(scene: Scene) -> None:
    """A ping of an idle connection, a slow start: waits, but not for others."""
    pool_scene(scene, [40, 40, 40, 40], at_once=False)
    assert "pool_exhausted" not in scene.found()


def test_a_handshake_inside_the_wait_is_not_the_wait(scene: Scene) -> None:
    for number in range(6):
        scene.request(end=100, at=number)
        client, _ = scene.call(0, 90, served=(70, 85), pool_wait_ns=5 * MS, tls_ns=50 * MS, reused=False)
        getconn = scene.span(client, 0, 60, "client", role="getconn")
        scene.span(getconn, 5, 55, "client", role="tls")
    found = scene.found()
    assert "pool_exhausted" not in found
    assert found["cold_connections"][0]["costs"] == dict.fromkeys(range(6), 50)


def test_a_connection_for_every_call(scene: Scene) -> None:
    for _ in range(5):
        scene.request(end=100)
        scene.call(0, 90, served=(60, 85), connect_ns=10 * MS, tls_ns=40 * MS, reused=False)
    (finding,) = scene.found()["cold_connections"]
    assert finding["costs"] == dict.fromkeys(range(5), 50)
    assert "for 100% of its calls" in finding["message"]


@pytest.mark.parametrize(
    ("parts", "made_of", "step"),
    [
        ({"dns": 30, "connect": 10, "tls": 1}, "dns 30 ms, connect 10 ms", "the resolver of render:web"),
        ({"connect": 30}, "connect 30 ms", "slow to accept"),
        ({"tls": 40, "connect": 10}, "tls 40 ms, connect 10 ms", "session resumption"),
        ({"connect": 20, "tls": 20, "dns": 20}, "dns 20 ms, connect 20 ms, tls 20 ms", None),
        ({"setup": 40}, "setup 40 ms", None),
    ],
)
def test_what_takes_most_of_opening_a_connection(
    scene: Scene, parts: dict[str, int], made_of: str, step: str | None
) -> None:
    for _ in range(5):
        scene.request(end=100)
        told: dict[str, Any] = {f"{part}_ns": ms * MS for part, ms in parts.items()}
        scene.call(0, 90, served=(70, 85), reused=False, **told)
    (finding,) = scene.found()["cold_connections"]
    assert finding["message"].endswith(f"(opening one: {made_of})")
    said = "takes most of it" in finding["next_step"]
    assert said == (step is not None)
    assert step is None or step in finding["next_step"]


def test_a_connection_that_is_opened_where_one_is_got(scene: Scene) -> None:
    """SQLAlchemy without a pool: one span before the statement, all of it the new connection's."""
    for number in range(5):
        scene.request(end=300, at=number * 1_000)
        scene.span(scene.entry, 10, 210, "client", role="getconn", scope="opentelemetry.instrumentation.sqlalchemy")
        scene.call(211, 230, DATA, setup_ns=190 * MS, operation="SELECT orders")
    (finding,) = scene.found()["cold_connections"]
    assert finding["costs"] == dict.fromkeys(range(5), 190)


def test_a_pool_that_grows_is_not_cold(scene: Scene) -> None:
    for number in range(20):
        scene.request(end=100)
        new = number < 3
        scene.call(0, 90, served=(60, 85), tls_ns=40 * MS if new else None, reused=not new)
    assert "cold_connections" not in scene.found()


def test_a_backlog(scene: Scene) -> None:
    for _ in range(4):
        scene.request(end=100)
        scene.call(0, 90, served=(60, 85), server_queue_ns=55 * MS)
    (finding,) = scene.found()["server_backlog"]
    assert finding["costs"] == dict.fromkeys(range(4), 55)


def test_twice_a_few_milliseconds_are_no_finding(scene: Scene) -> None:
    for _ in range(4):
        scene.request(end=100)
        scene.call(0, 90, served=(60, 85), server_queue_ns=8 * MS)
    assert scene.found() == {}


def test_once_is_an_accident(scene: Scene) -> None:
    for _ in range(2):
        scene.request(end=100)
        scene.call(0, 90, served=(60, 85), server_queue_ns=55 * MS)
    assert scene.found() == {}


@pytest.mark.parametrize(("trip", "is_far"), [(20, True), (4, False)])
def test_data_far_away(scene: Scene, trip: float, is_far: bool) -> None:
    for _ in range(4):
        scene.request(end=200)
        for start in (0, 50, 100):
            scene.call(start, start + 40, DATA, network_ns=int(trip * MS), operation=f"SELECT {start}")
    found = scene.found()
    assert ("far_from_data" in found) is is_far
    if is_far:
        assert found["far_from_data"][0]["costs"] == dict.fromkeys(range(4), 3 * trip)


def test_a_wait_hidden_behind_a_longer_call_costs_nothing(scene: Scene) -> None:
    for _ in range(4):
        scene.request(end=100)
        scene.call(0, 60, served=(50, 58), server_queue_ns=40 * MS)
        scene.call(0, 90, "render:web→origin:other", served=(1, 89))
    assert "server_backlog" not in scene.found()
