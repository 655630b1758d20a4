"""Burns a CPU, or stops a process now and then (SIGSTOP, SIGCONT), and writes down when.

busy.py --burn 3 --cpu 1            busy loops on one CPU, until killed (at most two minutes)
busy.py --pid 4711 --stop-ms 120 --every-ms 600
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from faults.log import Log, drawn_ms, say_ready

_LONGEST_S = 120.0


def burn(options: argparse.Namespace, log: Log) -> None:
    """Busy loops in as many processes, this one among them; children end with their parent."""
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if options.cpu in cpus:
        os.sched_setaffinity(0, {options.cpu})
    started, parent = time.monotonic_ns(), os.getpid()
    children = []
    for _ in range(options.burn - 1):
        child = os.fork()
        if child == 0:
            break
        children.append(child)
    own = os.getpid() == parent
    if own:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        say_ready(options.ready)
    try:
        while time.monotonic_ns() - started < _LONGEST_S * 1e9 and (own or os.getppid() == parent):
            for _ in range(10000):
                pass
    finally:
        if own:
            log.line("injected", started, owner="burn")
            for child in children:
                os.kill(child, signal.SIGKILL)


def freeze(options: argparse.Namespace, log: Log) -> None:
    """Stop and continue a process; whatever happens, it is left running."""
    dice = random.Random(options.salt)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    say_ready(options.ready)
    give_up = time.monotonic() + _LONGEST_S
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < give_up:
            time.sleep(drawn_ms(options.every_ms - options.stop_ms, 0.3, str(dice.random())) / 1e3)
            started = time.monotonic_ns()
            try:
                os.kill(options.pid, signal.SIGSTOP)
                time.sleep(drawn_ms(options.stop_ms, options.spread, str(dice.random())) / 1e3)
            finally:
                os.kill(options.pid, signal.SIGCONT)
            log.line("injected", started, owner="freeze")


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--burn", type=int, default=0, help="busy loops")
    parser.add_argument("--cpu", type=int, default=0)
    parser.add_argument("--pid", type=int, default=0, help="process to stop")
    parser.add_argument("--stop-ms", type=float, default=100)
    parser.add_argument("--every-ms", type=float, default=500)
    parser.add_argument("--spread", type=float, default=0.15)
    parser.add_argument("--salt", type=int, default=0)
    parser.add_argument("--witness", default="")
    parser.add_argument("--ready", default="")
    return parser


if __name__ == "__main__":
    given = arguments().parse_args()
    said = Log(given.witness, "busy")
    with contextlib.suppress(KeyboardInterrupt):
        (freeze if given.pid else burn)(given, said)
