"""`seamscope collect` and `replay` as programs: what scripts and people see of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import click
import grpc
import pytest

from collector.files import delimited
from collector.sending.replay import Tally
from seamscope import cli
from seamscope.commands.quantities import seconds, size_bytes
from seamscope.commands.replay_ import told
from seamscope.store import Store
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Said:
    """Give a function that runs `seamscope` here, in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEAMSCOPE_DB", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli._call(arguments)
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize("command", ["collect", "report", "import x.json", "analyze"])
def test_a_config_that_somebody_named_must_be_there(said: Said, command: str) -> None:
    code, _, err = said(*command.split(), "--config", "seamscope.toml", "--db", "store.duckdb")
    assert code == 2
    assert "seamscope.toml: no such file" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_says_where_it_listens_and_stops_when_asked(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with traffic.collecting(tmp_path, "--db", "store.duckdb", "--settle", "0s") as listening:
        request = traffic.spans(8)
        assert traffic.call(listening.grpc, request.SerializeToString()).code is grpc.StatusCode.OK
        about = json.loads((tmp_path / "ready.json").read_text())
        assert about["pid"] == listening.program.process.pid
        assert about["db"] == str(tmp_path / "store.duckdb")
        listening.program.send(number)
        exit_code, out, err = listening.program.end()
    assert exit_code == code
    assert "trace-tui --db store.duckdb" in out
    assert err == ""
    assert not (tmp_path / "ready.json").exists()
    assert not (tmp_path / "store.duckdb.sock").exists()
    with Store.open(tmp_path / "store.duckdb") as store:
        assert traffic.stored_spans(store) == traffic.span_ids(request)
        assert traffic.count(store, "requests") > 0  # what had settled was analysed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--grpc", "4317"], 2, "HOST:PORT"),
        (["--grpc", f"127.0.0.1:{'1' * 5_000}"], 2, "seamscope: '127.0.0.1:111"),
        (["--grpc", "a..b:4317"], 3, "a..b has no address: a part of the name is empty or too long"),
        (["--http", "a..b:4318", "--insecure-public"], 3, "a part of the name is empty or too long"),
        (["--ready-file", "missing/ready.json"], 2, "there is no folder missing"),
        (["--ready-file", "."], 2, "it is a folder"),
        (["--grpc", "0.0.0.0:0"], 2, "--insecure-public"),
        (["--http", "[::]:0", "--grpc", "127.0.0.1:0"], 2, "--insecure-public"),
        (["--db", "grpc://somewhere:1"], 2, "name a file"),
        (["--db", "missing/store.duckdb"], 3, "missing"),
        (["--config", "missing.toml"], 2, "missing.toml"),
        (["--max-memory", "256MiB"], 2, "512MiB"),
        (["--retention-size", "1MiB"], 2, "64MiB"),
        (["--retention-age", "0s"], 2, "1s"),
        (["--retention-age", "36501d"], 2, "36500d"),
        (["--retention-age", "9" * 400], 2, "36500d"),
        (["--retention-size", "9" * 400], 2, "1024TiB"),
        (["--max-memory", "1025TiB"], 2, "1024TiB"),
        (["--settle", "soon"], 2, "duration"),
        (["--settle", "8d"], 2, "at most 7d"),
        (["--settle", "9" * 400], 2, "at most 7d"),
        (["--metrics-every", "0"], 2, "at least 1s"),
        (["--metrics-every", "999999999d"], 2, "at most 1d"),
        (["--token-file", "missing-tokens"], 3, "missing-tokens"),
        (["--read-token-file", "missing-tokens"], 3, "missing-tokens"),
        (["--tls-cert", "cert.pem"], 2, "--tls-key"),
        (["--tls-client-ca", "ca.pem"], 2, "--tls-cert"),
        (["--tls-cert", "cert.pem", "--tls-key", "key.pem"], 3, "cert.pem"),
        (["--token", "x"], 2, "No such option"),
    ],
)
def test_what_cannot_be_is_said_so(said: Said, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    exit_code, out, err = said("collect", *arguments)
    assert (exit_code, out) == (code, "")
    assert words in err
    assert not (tmp_path / "seamscope.duckdb").exists()


def test_a_port_in_use_and_a_store_in_use_are_said_in_one_line(said: Said, tmp_path: Path) -> None:
    with traffic.collecting(tmp_path, "--db", "store.duckdb") as first:
        code, _, err = said("collect", "--db", "other.duckdb", "--grpc", str(first.grpc))
        assert (code, err.count("\n")) == (3, 1)
        assert str(first.grpc) in err
        assert not (tmp_path / "other.duckdb").exists()
        code, _, err = said("collect", "--db", "store.duckdb", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
        assert (code, err.count("\n")) == (3, 1)
        assert f"process {first.program.process.pid}" in err


def test_recorded_traffic_can_be_sent_again(said: Said, tmp_path: Path) -> None:
    sent = traffic.spans(24)
    with traffic.running(tmp_path, record=tmp_path / "kept") as collector:
        traffic.call(collector.grpc, sent.SerializeToString())
        traffic.post(collector.http, traffic.as_json(traffic.logs(3)), traffic.JSON, "/v1/logs")
    (tmp_path / "kept" / "expected.json").write_text("{}")  # not a recording
    (tmp_path / "again").mkdir()
    with traffic.running(tmp_path / "again") as collector:
        code, out, err = said("replay", "kept", "--endpoint", str(collector.grpc), "--json")
        assert (code, err) == (0, "")
        assert json.loads(out)["accepted"] == 27
        assert traffic.stored_spans(collector.store) == traffic.span_ids(sent)
        assert traffic.count(collector.store, "logs") == 3


def test_a_shift_brings_a_recording_up_to_now(said: Said, tmp_path: Path) -> None:
    (tmp_path / "sent.otlp.pb").write_bytes(traffic.spans(24).SerializeToString())
    with traffic.running(tmp_path) as collector:
        to = f"http://{collector.http}"
        code, out, _ = said("replay", "sent.otlp.pb", "--shift-to-now", "--endpoint", to)
        assert (code, "24 spans" in out) == (0, True)
        times = collector.store.query(
            "SELECT min(start_ns) AS a, max(end_ns) AS b, max(ingested_ns) AS at FROM base.spans"
        )
        first, last, at_ns = times.row(0)
    assert last - first == 23 * 1_000_000 + 500_000
    assert 0 <= at_ns - last < traffic.DEADLINE_S * 10**9


@pytest.mark.parametrize("option", [("--shift-to-now",), ("--live", "0")])
def test_what_cannot_be_read_is_passed_over_and_told(said: Said, tmp_path: Path, option: tuple[str, ...]) -> None:
    good, bad = (traffic.spans(8, seed=seed).SerializeToString() for seed in range(2))
    bad = bad.replace(b"GET /v1/3", b"GET /v1\xff3", 1)
    (tmp_path / "sent.otlp.pb").write_bytes(delimited(good, bad, good))
    with traffic.running(tmp_path) as collector:
        code, out, err = said("replay", "sent.otlp.pb", *option, "--endpoint", str(collector.grpc))
        assert traffic.count(collector.store, "spans") == 8
    assert (code, err) == (3, "seamscope: 1 of 3 requests were not taken; see the reasons above\n")
    assert out.startswith("3 requests, 16 spans, log records and data points accepted, 1 requests not taken\n")
    assert "1 × passed over: not an OTLP traces request" in out


def test_a_pipe_is_read_once(said: Said, tmp_path: Path) -> None:
    read, write = os.pipe()
    pipe = f"/dev/fd/{read}"
    os.write(write, delimited(*(traffic.spans(8, seed=seed).SerializeToString() for seed in range(3))))
    os.close(write)
    for option in (("--shift-to-now",), ("--live", "1")):
        code, out, err = said("replay", pipe, *option)
        assert (code, out) == (2, "")
        assert f"name a file instead of {pipe}" in err
    with traffic.running(tmp_path) as collector:
        code, out, _ = said("replay", pipe, "--endpoint", str(collector.grpc))
        assert (code, "3 requests, 24 spans" in out) == (0, True)
        assert traffic.count(collector.store, "spans") == 24
    os.close(read)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.pb"], 3, "no such file"),
        (["."], 3, "no recorded OTLP"),
        (["-", "--shift-to-now"], 2, "name a file"),
        (["-", "--endpoint", "http://127.0.0.1:1"], 3, "nothing answers"),
        (["-", "--rate", "0"], 2, "rate"),
        ([], 2, "FILE"),
    ],
)
def test_what_cannot_be_replayed_is_said_so(said: Said, arguments: list[str], code: int, words: str) -> None:
    exit_code, out, err = said("replay", *arguments)
    assert (exit_code, out) == (code, "")
    assert words in err


def test_what_an_endpoint_answers_is_not_obeyed() -> None:
    tally = Tally(requests=1, messages=Counter({"\x1b]0;owned\x07\u202e": 1}))
    assert told(tally).splitlines()[1] == "  1 × \\x1b]0;owned\\x07\\u202e"


@pytest.mark.parametrize("before", [("replay", "x", "--"), ("",), ("collect", "")])
def test_words_of_a_command_are_not_obeyed(said: Said, before: tuple[str, ...]) -> None:
    code, out, err = said(*before[:-1], f"{before[-1]}\x1b]0;owned\x07")
    assert (code, out) == (2, "")
    assert "\\x1b]0;owned\\x07" in err
    assert "\x1b" not in err


def test_sizes_and_durations_are_read() -> None:
    assert [size_bytes(text) for text in ("1", "512MiB", "1.5GB", "2 kb")] == [1, 512 << 20, 1_500_000_000, 2000]
    assert [seconds(text) for text in ("10", "500ms", "2m", "1.5s")] == [10.0, 0.5, 120.0, 1.5]
    for text in ("", "x", "-1s", "1 parsec"):
        with pytest.raises(click.BadParameter):
            seconds(text)
        with pytest.raises(click.BadParameter):
            size_bytes(text)


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal
    import socket

    place = tmp_path / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place))
        manager.settimeout(traffic.DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place))
        with traffic.collecting(tmp_path, "--db", "store.duckdb") as listening:
            assert manager.recv(100) == b"READY=1"
            listening.program.send(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            assert listening.program.end()[0] == 0


SIGNALS = """
import os, random, signal, threading, time
from seamscope.commands.collect_ import Stopping
dice = random.Random(1)
for _ in range(1_000):
    with Stopping() as stopping:
        pause_s = dice.random() * 2e-4
        sender = threading.Thread(target=lambda: (time.sleep(pause_s), os.kill(os.getpid(), signal.SIGTERM)))
        sender.start()
        while not stopping.wait(0.0):
            pass
        sender.join()
"""


def test_a_signal_may_come_at_any_moment() -> None:
    subprocess.run([sys.executable, "-c", SIGNALS], check=True, timeout=60)
