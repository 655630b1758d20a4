"""System B of the lab without starting anything: its plans, its timers, and how it finds a request in three traces."""

from __future__ import annotations

import importlib
import importlib.util
import json
import random
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = Path(__file__).resolve().parents[2] / "sample_traces" / "lab"
HERE = LAB / "systems" / "b"


def _shop(name: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Any:
    """One of the shop's modules that need nothing but Python."""
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    found = importlib.util.spec_from_file_location(f"shop_{name}", HERE / "origin" / "shop" / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _knobs(lab: Any, scenario: Any, seed: int) -> Any:
    return lab("scenario").knobs_of(scenario, lab("systems.b.system").SYSTEM, seed)


def test_every_plan_is_long_enough_and_follows_its_seed(lab: Any) -> None:
    dice_of = lab("scenario").dice_of
    for one in lab("systems.b.scenarios").SCENARIOS:
        plans = [one.plan(dice_of(seed, one.name, "plan"), _knobs(lab, one, seed)) for seed in (7, 7, 8)]
        assert plans[0] == plans[1]
        assert plans[0] != plans[2]
        assert len(plans[0]) >= 100
        assert [request.due_ns for request in plans[0]] == sorted(request.due_ns for request in plans[0])
        assert plans[0][-1].due_ns < 20e9


def test_every_fault_has_a_control_of_its_dialect_that_answers_the_same_kinds(lab: Any) -> None:
    every = {one.name: one for one in lab("systems.b.scenarios").SCENARIOS}
    assert {every[name].options["dialect"] for name in every if every[name].control is None} == {
        "next14",
        "next15",
        "nodesdk",
    }
    for one in every.values():
        if one.control is not None:
            assert every[one.control].options["dialect"] == one.options["dialect"], one.name


def test_what_the_seed_draws_differs_between_seeds(lab: Any) -> None:
    faulty = [one for one in lab("systems.b.scenarios").SCENARIOS if one.fault is not None and one.fault.moves]
    same = [one.name for one in faulty if len({json.dumps(_knobs(lab, one, seed)) for seed in range(6)}) < 3]
    assert same == []


def test_owners_can_be_filled_in(lab: Any) -> None:
    for one in lab("systems.b.scenarios").SCENARIOS:
        if one.fault is not None:
            owner = lab("truth").filled(one.fault.owner, _knobs(lab, one, 7))
            assert re.fullmatch(r"(?:[a-z]+:[\w/.-]+)(?:→[a-z]+:[\w/.-]+)?", owner), owner


def test_the_shop_and_the_plan_agree_on_who_is_hit(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, dice = _shop("sizes", monkeypatch), random.Random(7)  # noqa: S311 - to be repeated, not to be secret
    ids = [lab("scenario").drawn_id(dice) for _ in range(200)]
    assert [sizes.hit(one, 0.4) for one in ids] == [lab("scenario").hit(one, 0.4) for one in ids]
    assert 40 < sum(sizes.hit(one, 0.4) for one in ids) < 120


def test_what_the_shop_writes_the_lab_reads(lab: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "shop.witness.ndjson"
    witness = _shop("witness", monkeypatch, WITNESS=str(path), OTEL_SERVICE_NAME="depot-api", PGDATABASE="depot")
    answered: list[Any] = []

    def application(_: Any, start_response: Any) -> list[bytes]:
        witness.note("query", witness.DATABASE, 10, 20, "a timer")
        start_response("200 OK", [])
        return [b"{}"]

    environ = {"HTTP_X_REQUEST_ID": "r1", "HTTP_X_LAB_CALL": "c1"}
    assert witness.watched(application)(environ, lambda *given: answered.append(given)) == [b"{}"]
    witness._file.close()
    query, handler = sorted(lab("witness").parse(path.read_text()), key=lambda line: line.start_ns)
    assert (query.request_id, query.call, query.owner, query.cause, query.ns) == (
        "r1",
        "c1",
        "data:postgres/depot",
        "query",
        10,
    )
    assert (handler.cause, handler.owner, handler.call) == ("handler", "origin:depot-api", "c1")


def test_nothing_is_written_of_what_no_request_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "shop.witness.ndjson"
    witness = _shop("witness", monkeypatch, WITNESS=str(path))
    witness.note("query", "data:postgres/shop", 1, 2, "a timer")
    witness._file.close()
    assert path.read_text() == ""


def _span(lab: Any, trace: str, span: str, parent: str, kind: int, start: int, request: str = "") -> Any:
    otlp = lab("otlp")
    text = {otlp.REQUEST_ID: request} if request else {}
    return otlp.Span("portal", trace, span, parent, "GET", kind, start, start + 5, text)


def test_a_request_of_three_traces_is_entered_at_its_page(lab: Any) -> None:
    system = lab("systems.b.system").SYSTEM
    system.entry_services = ["portal"]
    middleware = _span(lab, "aa", "01", "", 1, 10, "r1")
    handed_over = _span(lab, "bb", "02", "", 2, 11)
    page = [_span(lab, "cc", "03", "", 2, 15), _span(lab, "cc", "04", "03", 1, 16, "r1")]
    redirected = _span(lab, "dd", "05", "", 1, 30, "r2")
    found = system.find([middleware, handed_over, *page, redirected])
    assert (found["r1"].trace_ids, found["r1"].span_id) == (("cc", "aa"), "03")
    assert (found["r2"].trace_ids, found["r2"].span_id) == (("dd",), "05")


def test_every_dialect_is_locked_to_what_its_package_asks_for() -> None:
    for dialect in ("next14", "next15", "nodesdk"):
        wanted = json.loads((HERE / "web" / f"package.{dialect}.json").read_text())["dependencies"]
        locked = json.loads((HERE / "web" / f"package-lock.{dialect}.json").read_text())["packages"]
        assert locked[""]["dependencies"] == wanted
        assert all(f"node_modules/{name}" in locked for name in wanted)


def test_the_origins_requirements_are_pinned() -> None:
    lines = (HERE / "origin" / "requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert {"Django", "celery", "SQLAlchemy", "psycopg", "redis"} <= {line.partition("==")[0] for line in lines}
