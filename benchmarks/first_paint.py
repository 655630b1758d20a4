"""How long `trace-tui` takes over a million spans until its first frame, and its first requests, stand on the screen.

    python -m benchmarks.first_paint [--spans 1000000] [--rounds 5]

Whole processes in a terminal of their own, from the start to the first frame and to the first route that appears; one
JSON document.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from benchmarks.analysis import fill, traces

PATIENCE_S = 60.0
FRAME = b"seamscope"
"""What the first frame says."""
REQUESTS = b"/dash"
"""Part of the route that every request of these traces has; nothing else on the screen says it."""


def painted(command: list[str]) -> tuple[float, float]:
    """Give the seconds from the start of a command to its first frame and to the first request on its screen.

    Raises:
        TimeoutError: nothing of the kind within a minute.
    """
    began = time.perf_counter()
    child, screen = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        os.environ.update(TERM="xterm-256color")
        os.execv(command[0], command)  # noqa: S606 - the interpreter that runs this, on the new terminal
    try:
        return _seen(screen, began, FRAME), _seen(screen, began, REQUESTS)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(screen)


def _seen(screen: int, began: float, sign: bytes) -> float:
    said = b""
    while sign not in said:
        left = began + PATIENCE_S - time.perf_counter()
        if not select.select([screen], [], [], max(left, 0))[0]:
            raise TimeoutError(f"no {sign!r} on the screen after {PATIENCE_S:g} s: {said[-300:]!r}")
        said += os.read(screen, 1 << 16)
    return time.perf_counter() - began


def main() -> None:
    """Run and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.duckdb"
        fill(path, *traces(given.spans), analysed=True)
        command = [sys.executable, "-m", "seamscope", "tui", "--db", str(path)]
        painted(command)
        taken = [painted(command) for _ in range(given.rounds)]
    frames, requests = (round(statistics.median(column), 3) for column in zip(*taken, strict=True))
    report = {"benchmark": "first_paint", "spans": given.spans, "first_frame_s": frames, "first_requests_s": requests}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
