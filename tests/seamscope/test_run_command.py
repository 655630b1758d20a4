"""`seamscope run`: what a newcomer gets from one command."""

from __future__ import annotations

import re
import signal
import threading
from queue import Queue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from collector.files import delimited
from seamscope.commands.collect_ import Stopping
from seamscope.commands.run_ import alone
from seamscope.errors import StoreError
from seamscope.remote import Lent, find_collector
from seamscope.store import Store
from tests.collector import traffic

if TYPE_CHECKING:
    from pathlib import Path

PORTS = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
SAMPLES = ("--samples", str(traffic.PROJECT / "sample_traces" / "a-db-pool"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[int, str, str]]:
    """A first run in an empty folder."""
    folder = tmp_path_factory.mktemp("run")
    with traffic.Program(folder, "run", "--once", *PORTS, *SAMPLES) as program:
        return folder, program.end()


def test_a_first_run_replays_analyses_and_shows(first: tuple[Path, tuple[int, str, str]]) -> None:
    folder, (code, out, err) = first
    assert code == 0, err
    assert "replaying" in err
    assert re.search(r"GET /dash +\d+ requests?", out)
    assert "held by" in out
    assert (folder / "boundary" / "index.html").exists()
    with Store.open(folder / "seamscope.duckdb") as store:
        assert traffic.count(store, "spans") > 100
        assert traffic.count(store, "requests") > 10


def test_a_second_run_replays_nothing(first: tuple[Path, tuple[int, str, str]]) -> None:
    folder, (_, before, _) = first
    index = (folder / "boundary" / "index.html").stat().st_mtime_ns
    with traffic.Program(folder, "run", "--once", *PORTS, *SAMPLES) as program:
        code, out, err = program.end()
    assert code == 0, err
    assert "replaying" not in err
    assert (folder / "boundary" / "index.html").stat().st_mtime_ns == index
    summary = re.compile(r"^(GET|POST) .*", re.MULTILINE)
    assert summary.findall(out) == summary.findall(before)


def test_without_a_terminal_it_stays_a_collector(first: tuple[Path, tuple[int, str, str]]) -> None:
    folder, _ = first
    with traffic.Program(folder, "run", *PORTS, *SAMPLES) as program:
        grpc_at = re.search(r"OTLP/gRPC on (\S+),", program.line())
        assert grpc_at is not None
        while "pages" not in (line := program.line()):
            assert line, program.end()
        from collector.doors.addresses import Address

        request = traffic.spans(8, seed=77)
        traffic.call(Address.parse(grpc_at[1]), request.SerializeToString())
        with traffic.Program(folder, "run", "--once", *PORTS, *SAMPLES) as beside:  # reads through the first
            code, out, err = beside.end()
        assert (code, "held by" in out) == (0, True)
        assert str(program.process.pid) in err
        program.send(signal.SIGINT)
        assert program.end()[0] == 130
    with Store.open(folder / "seamscope.duckdb") as store:
        assert traffic.span_ids(request) <= traffic.stored_spans(store)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_when_asked_while_the_samples_play(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """The recording plays longer than the test waits."""
    (tmp_path / "samples").mkdir()
    early, late = traffic.spans(8), traffic.spans(8, seed=1)
    for span in late.resource_spans[0].scope_spans[0].spans:
        span.end_time_unix_nano += int(10 * traffic.DEADLINE_S * 1e9)
    recording = delimited(early.SerializeToString(), late.SerializeToString())
    (tmp_path / "samples" / "long.otlp.pb").write_bytes(recording)
    with traffic.Program(tmp_path, "run", "--samples", "samples", *PORTS) as program:
        assert program.line().startswith("OTLP/gRPC on")
        live = find_collector(tmp_path / "seamscope.duckdb")
        assert live is not None
        with Lent(live.address) as lent:
            while not lent.query("SELECT count(*) AS spans FROM base.spans")["spans"][0]:
                pass
        program.send(number)
        assert program.end()[0] == code
    with Store.open(tmp_path / "seamscope.duckdb") as store:
        assert traffic.stored_spans(store) == traffic.span_ids(early)
    assert not (tmp_path / "boundary").exists()


def test_it_ends_when_asked_while_it_analyses(tmp_path: Path) -> None:
    hurried = threading.Event()

    def analyze() -> None:
        signal.raise_signal(signal.SIGINT)
        assert hurried.wait(traffic.DEADLINE_S)
        raise StoreError("the collector is stopping")

    with Store.open(tmp_path / "store.duckdb") as store, Stopping() as stopping:
        collector: Any = SimpleNamespace(store=store, grpc="", analyze=analyze, hurry=hurried.set)
        alone(collector, stopping, tmp_path / "absent", tmp_path / "boundary", once=True)
    assert stopping.exit_code == 130
    assert not (tmp_path / "boundary").exists()


def test_who_is_asked_to_stop_tells_it_once() -> None:
    told: Queue[str] = Queue()
    with Stopping() as stopping:
        with stopping.telling(lambda: told.put("never")):
            pass
        with stopping.telling(lambda: told.put("inside")):
            signal.raise_signal(signal.SIGTERM)
            assert told.get(timeout=traffic.DEADLINE_S) == "inside"
        with stopping.telling(lambda: told.put("before")):
            assert told.get(timeout=traffic.DEADLINE_S) == "before"
    assert told.empty()


def test_without_samples_it_waits_for_spans(tmp_path: Path) -> None:
    with traffic.Program(tmp_path, "run", "--once", *PORTS) as program:
        code, _, err = program.end()
    assert code == 0
    assert "no recorded samples" in err


def test_names_of_folders_are_not_obeyed(tmp_path: Path) -> None:
    words = ("run", "--once", "--samples", "\x1b[1J", "--out", "\x1b[2J", "--db", "\x1b[3J.duckdb", *PORTS)
    with traffic.Program(tmp_path, *words) as program:
        code, out, err = program.end()
    assert code == 0
    assert "\x1b" not in out + err
    assert all(shown in out + err for shown in ("at \\x1b[1J", "\\x1b[2J/index.html", "\\x1b[3J.duckdb"))
