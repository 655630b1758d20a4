"""What the rules look at is the same whether it was read at once or piece by piece."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from collector.files import iter_bodies
from collector.ingest import ingest
from seamscope import evidence, runs
from seamscope.remote import open_store
from seamscope.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from analysis.findings import Evidence

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
NOW_NS = 2_000_000_000_000_000_000
FRAMES = ("requests", "calls", "path", "spans", "warnings")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Iterator[Store]]:
    """A store that gets recordings in three parts, traces torn between them, each analysed as it comes."""
    with Store.open(tmp_path / "parts.duckdb") as store:
        bodies = [body for name in ("a-db-pool", "a-clock-drifts") for body in iter_bodies(_recorded(name))]

        def grown() -> Iterator[Store]:
            for part in (bodies[: len(bodies) // 3], bodies[len(bodies) // 3 : -3], bodies[-3:]):
                store.commit(ingest(part).tables, now_ns=NOW_NS)
                runs.analyze(store)
                yield store

        yield grown()


def _recorded(name: str) -> Path:
    return SAMPLES / name / "traces.otlp.pb.zst"


def same(one: Evidence | None, other: Evidence | None) -> bool:
    assert one is not None
    assert other is not None
    return all(getattr(one, name).equals(getattr(other, name)) for name in FRAMES)


def test_piece_by_piece(parts: Iterator[Store]) -> None:
    latest = evidence.Latest()
    for number, store in enumerate(parts):
        told = latest.evidence(store)
        assert same(told, evidence.read(store)), f"after part {number + 1}"
        assert same(told, latest.evidence(store)), "nothing new"
    assert told is not None
    assert told.calls.height > 200


def test_only_new_requests_are_read_again(parts: Iterator[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    latest = evidence.Latest()
    known: set[int] = set()
    read: list[pl.DataFrame] = []
    frames = evidence._frames

    def noted(*given: Any) -> dict[str, pl.DataFrame]:
        found = frames(*given)
        read.append(found["traces"])
        return found

    monkeypatch.setattr(evidence, "_frames", noted)
    for store in parts:
        latest.evidence(store)
        numbers = set(read.pop().get_column("request_no"))
        assert numbers
        assert not numbers & known
        known |= numbers


def test_an_older_request_that_comes_to_be_among_the_latest(
    parts: Iterator[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, store = parts
    latest = evidence.Latest()
    for most in (20, 60, 10):
        monkeypatch.setattr(evidence, "MOST_REQUESTS", most)
        told = latest.evidence(store)
        assert told is not None
        assert told.requests.height == most
        assert same(told, evidence.read(store))


def test_reading_that_fails_begins_anew(parts: Iterator[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    latest = evidence.Latest()
    for store in parts:
        with monkeypatch.context() as patched:
            patched.setattr(evidence, "_beside", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                latest.evidence(store)
        assert same(latest.evidence(store), evidence.read(store))


def test_calls_of_requests_without_details(tmp_path: Path) -> None:
    """Where nearly all requests have details, an outer join fails in DuckDB, and the file is no good until reopened."""
    path = tmp_path / "legs.duckdb"
    with Store.open(path) as store:
        store.commit(ingest(list(iter_bodies(_recorded("a-page-legs")))).tables, now_ns=NOW_NS)
        runs.analyze(store)
    with open_store(path) as reader:
        found = evidence.read(reader)
        assert found is not None
        assert reader.query("SELECT * FROM hops").height == found.calls.height > 400
        without = "SELECT count(*) AS n FROM base.requests ANTI JOIN base.hop_details USING (request_no)"
        assert reader.query(without).item() > 0
