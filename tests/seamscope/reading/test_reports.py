"""Reports: totals that add up, exact percentiles, what is left out and said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seamscope.errors import UsageError
from seamscope.reading.boundary import boundary
from seamscope.reading.reports import BY, report, seams
from seamscope.reading.requests import list_requests, request_detail
from seamscope.results import Group, Selection

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.results import Report
    from seamscope.store import Store
    from tests.seamscope.conftest import Scene

MS = 1_000_000
EVERYWHERE = Selection("environment:*")


def _group(found: Report, key: str) -> Group:
    return next(group for group in found.groups if group.key == key)


@pytest.mark.parametrize("by", [*BY, "attr:org_id"])
@pytest.mark.parametrize("at", ["mean", "p50", "p95", "p99"])
def test_shares_sum_to_the_horizons_of_the_requests_they_are_taken_from(example: Store, by: str, at: str) -> None:
    found = report(example, EVERYWHERE, by=by, at=at)
    assert found.groups
    for group in (found.total, *found.groups):
        for horizon in ("shell", "complete"):
            total, taken = sum(share.ns for share in group.shares[horizon]), group.requests_in[horizon]
            known = group.shell if horizon == "shell" else group.complete
            if at == "mean" and known.count:
                assert taken == known.count
                assert total // taken == known.mean_ns
            assert (total == 0) == (taken == 0)


def test_totals_equal_those_of_the_requests_one_by_one(example: Store) -> None:
    found = _group(report(example, EVERYWHERE), "GET /dash")
    expected: dict[tuple[str, str, str], int] = {}
    for row in list_requests(example, Selection("route:/dash")):
        for share in request_detail(example, row.request_id).by_cause["shell"]:
            key = (share.owner, share.cause, share.evidence)
            expected[key] = expected.get(key, 0) + share.ns
    assert {(s.owner, s.cause, s.evidence): s.ns for s in found.shares["shell"]} == expected


def test_percentiles_are_values_that_occur_and_lead_to_their_requests(example: Store) -> None:
    found = _group(report(example), "GET /dash")
    assert (found.shell.p50_ns, found.shell.p95_ns, found.shell.max_ns) == (120 * MS, 138 * MS, 140 * MS)
    for point, ns in (("p50", 120 * MS), ("p95", 138 * MS), ("p99", 140 * MS), ("max", 140 * MS)):
        assert request_detail(example, found.examples["shell"][point]).row.shell_ns == ns


def test_typical_request_is_of_those_nearest_the_percentile(example: Store) -> None:
    found = _group(report(example, at="p95"), "GET /dash")
    assert found.requests_in == {"shell": 20, "complete": 20}
    pool = next(share for share in found.shares["shell"] if share.cause == "pool_wait")
    assert pool.ns == sum(range(21, 41)) * MS  # the twenty nearest 138 ms wait 21 to 40 ms
    assert sum(n for _, n in found.led_by["shell"]) == 20
    assert found.led_by["shell"][0][0] == "query"


def test_typical_request_is_withheld_below_twenty(example: Store) -> None:
    found = report(example, at="p95")
    assert _group(found, "GET /api/me").shares["complete"] == ()
    assert _group(found, "GET /api/me").complete.p95_ns == 50 * MS
    assert any("withheld for 3 groups" in note for note in found.notes)


def test_what_is_left_out_is_counted(example: Store) -> None:
    found = report(example)
    assert found.left_out == {"other": 1, "shell_not_known": 11}
    assert found.warnings == {"outlives_parent": 1}
    assert found.total.requests == 52
    assert all(group.key != "load route module" for group in found.groups)


def test_one_environment_by_default(example: Store) -> None:
    found = report(example)
    assert found.selection.environment == "production"
    assert "preview" in found.notes[0]
    assert report(example, EVERYWHERE).total.requests == 53


def test_calls_that_held_stand_in_their_usual_order(example: Store) -> None:
    calls = _group(report(example), "GET /dash").held_by["shell"]
    assert [(call.order, call.operation, call.requests, call.calls) for call in calls] == [
        (0, "fetch GET /v1/orders", 40, 40),
        (1, "fetch GET /v1/me", 40, 40),
    ]
    assert calls[0].seam == "render:web→origin:orders"
    assert calls[1].mean_ns == 30 * MS


def test_groups_of_seams_overlap_and_say_so(example: Store) -> None:
    found = report(example, by="seam")
    assert {group.key: group.requests for group in found.groups} == dict.fromkeys(
        ("render:web→origin:orders", "render:web→origin:auth", "origin:orders→data:postgres/app"), 41
    )
    assert any("overlap" in note for note in found.notes)
    assert {group.key for group in report(example, by="boundary").groups} == {"render→origin", "origin→data"}


def test_groups_by_attribute(example: Store) -> None:
    found = report(example, EVERYWHERE, by="attr:org_id")
    assert {group.key: group.requests for group in found.groups} == {"0": 18, "1": 17, "2": 18}
    assert [group.key for group in report(example, EVERYWHERE, by="attr:none").groups] == [""]


def test_limit_keeps_the_largest_and_counts_the_rest(example: Store) -> None:
    found = report(example, limit=1)
    assert [group.key for group in found.groups] == ["GET /dash"]
    assert "3 more groups with less time are left out" in found.notes
    assert found.total.requests == 52


def test_one_horizon(example: Store) -> None:
    assert report(example, horizons=("shell",)).horizons == ("shell",)


@pytest.mark.parametrize(
    ("asked", "says"),
    [({"by": "rote"}, "did you mean route"), ({"at": "p42"}, "p42"), ({"horizons": ("end",)}, "horizon")],
)
def test_off_words(example: Store, asked: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        report(example, **asked)  # type: ignore[arg-type]


def test_nothing_matches(example: Store) -> None:
    found = report(example, Selection("route:/nowhere"))
    assert (found.total.requests, found.groups) == (0, ())
    assert "no request matches" in found.notes
    with pytest.raises(UsageError, match=r"no span carries an attribute 'tire'.*did you mean tier"):
        report(example, Selection("tire:origin"))


def test_seams(example: Store) -> None:
    rows = {row.seam: row for row in seams(example)}
    orders = rows["render:web→origin:orders"]
    assert (orders.hops, orders.matched, orders.gap.p50_ns, orders.boundary) == (41, 41, 8 * MS, "render→origin")
    assert (orders.gap_sum_ns, orders.explained_ns) == (41 * 8 * MS, 41 * 6 * MS)
    assert (orders.cold, rows["render:web→origin:auth"].cold) == (0, 41)
    data = rows["origin:orders→data:postgres/app"]
    assert (data.matched, data.gap.count, data.gap.p50_ns, data.cold) == (0, 0, None, None)
    assert data.gap_kinds == {"no_server_span": 41}
    assert data.phases == {"pool_wait": (sum(range(1, 41)) + 5) * MS}
    assert request_detail(example, orders.examples["max"]).row.route


def test_seams_leave_out_what_totals_leave_out(scene: Scene, tmp_path: Path) -> None:
    """Calls of requests of kind `other`, unless the line speaks of kinds; on the pages too."""
    for number, kind in ((1, 0), (2, 4)):
        scene.page(number, pool=5.0)
        scene.rows["requests"][-1]["kind"] = kind
    with scene.store(tmp_path / "other.duckdb") as store:
        totals = {group.key: group.requests for group in report(store, by="seam").groups}
        assert {row.seam: row.requests for row in seams(store)} == totals == dict.fromkeys(totals, 1)
        assert {row.hops for row in seams(store, Selection("kind:other"))} == {1}
        assert {row.hops for row in seams(store, Selection("kind:page kind:other"))} == {2}
        seen = boundary(store)
        assert seen.coverage["hops"] == 3
        assert {len(widest) for widest in seen.slowest_by_seam.values()} == {1}
