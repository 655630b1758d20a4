"""The lab against what it recorded: every request is its seed's, leaks are refused, the stopwatch reads any answer."""

from __future__ import annotations

import importlib
import json
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).resolve().parents[2] / "sample_traces"
LAB = SAMPLES / "lab"


def test_every_recording_is_its_seeds(lab: Any) -> None:
    """Names, delays and requests: what `make record` would send again, and what stands beside the traces."""
    scenario, catalogue = lab("scenario"), lab("catalogue")
    every = catalogue.scenarios()
    for folder in sorted(path.parent for path in SAMPLES.glob("*/driver.json")):
        driver, expected = (json.loads((folder / f"{name}.json").read_text()) for name in ("driver", "expected"))
        one, seed = every[folder.name], driver["seed"]
        knobs = scenario.knobs_of(one, catalogue.system(one.system), seed)
        assert expected["knobs"] == json.loads(json.dumps(knobs)), folder.name
        planned = one.plan(scenario.dice_of(seed, one.name, "plan"), knobs)
        sent = [(request["key"], request["method"], request["request_id"]) for request in driver["requests"]]
        assert sent == [(request.key, request.method, request.request_id) for request in planned], folder.name


@pytest.mark.parametrize("secret", ["/root/app/.next/server.js", "/home/someone/x", "/var/build-1", "/nowhere-else"])
def test_a_recording_that_names_a_folder_is_refused(lab: Any, secret: str) -> None:
    check = lab("checks").check_leaks
    check(b"\x0aexception at /api/orders", Path("/nowhere-else"))
    with pytest.raises(lab("scenario").CannotRecord, match="holds"):
        check(b"\x0aexception at " + secret.encode(), Path("/nowhere-else"))


def _serve(answers: list[bytes]) -> int:
    """A server for one connection that gives these answers to these many requests."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        with listener, listener.accept()[0] as connection:
            for answer in answers:
                connection.recv(65536)
                connection.sendall(answer)

    threading.Thread(target=talk, daemon=True).start()
    return int(listener.getsockname()[1])


def test_the_stopwatch_reads_answers_of_both_lengths(lab: Any) -> None:
    stopwatch, planned = lab("stopwatch"), lab("scenario").Planned
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
    port = _serve(
        [chunked, b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!", b"HTTP/1.1 304 Not Modified\r\n\r\n"]
    )
    client = stopwatch.Client("127.0.0.1", port)
    timed = [client.send(planned(f"k{n}", 0, "GET", "/", f"id{n}"), 0) for n in range(3)]
    client.close()
    assert [(one.status, one.bytes_received) for one in timed] == [(200, 11), (404, 3), (304, 0)]
    assert all(0 < one.first_byte_ns <= one.last_byte_ns for one in timed)
