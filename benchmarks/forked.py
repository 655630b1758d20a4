"""Collectors forked from a process that has loaded their code: a start without its seconds of imports.

`Nursery` runs `python -m benchmarks.forked`, which reads an order a line (the arguments of a `seamscope` command, the
file that takes what it says, and constants of modules that are set first, such as how often upkeep looks), forks a
process that runs the command, and answers with its pid. Neither the store nor grpc has begun when it forks, so a child
is a collector like any other; only Python's modules and the compiled kernels are in memory already.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROJECT: Final = Path(__file__).resolve().parent.parent
READY: Final = "ready"


class Child:
    """A process that the nursery forked."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self._nursery = nursery
        self._ends = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Give its exit code (less than 0: the signal that ended it); None while it runs."""
        return self._ended(0.0)

    def wait(self, timeout_s: float) -> int:
        """Wait for its end; give its exit code.

        Raises:
            TimeoutError: it still runs.
        """
        code = self._ended(timeout_s)
        if code is None:
            raise TimeoutError(f"process {self.pid} still runs after {timeout_s:g} s")
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing where it has ended."""
        if self.code is None:
            signal.pidfd_send_signal(self._ends, number)

    def _ended(self, timeout_s: float) -> int | None:
        if self.code is None and select.select([self._ends], [], [], timeout_s)[0]:
            self.code = int(self._nursery.ask(f"reap {self.pid}"))
            os.close(self._ends)
        return self.code


class Nursery:
    """Forks collectors, in a `with` block."""

    def __enter__(self) -> Self:
        """Start the process that forks, and wait until it has loaded all."""
        command = [sys.executable, "-m", "benchmarks.forked"]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        if self._process.stdout.readline().strip() != READY:
            raise RuntimeError("the code of the collector could not be loaded")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate(timeout=60)

    def start(self, arguments: Sequence[str], said: Path, dials: Mapping[str, float] | None = None) -> Child:
        """Fork a `seamscope` command; `dials` are constants (`package.module.NAME`) that have another value in it."""
        order = {"arguments": [*arguments], "said": str(said), "dials": {**(dials or {})}}
        return Child(self, int(self.ask(json.dumps(order))))

    def ask(self, line: str) -> str:
        """Give the answer to a line."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        assert self._process.stdout is not None  # noqa: S101 - likewise
        print(line, file=self._process.stdin, flush=True)
        return self._process.stdout.readline()


def load() -> None:
    """Import what a collector imports, and have its decoder of spans read from its cache.

    What takes polars' threads (log records do) is left to the child: it would wait for threads that it does not have.
    """
    for name in ("seamscope.cli", "seamscope.commands.collect_", "collector.serve", "seamscope.runs"):
        importlib.import_module(name)
    from collector.ingest import ingest
    from collector.warming import warm

    warm(lambda bodies: ingest(bodies) if bodies[0].signal == "traces" else None)
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    if "polars-0" in names:
        raise RuntimeError("polars has started its threads, which a forked collector would wait for in vain")
    gc.collect()
    gc.freeze()  # a child's garbage collector must not copy every page by looking at it


def become(order: Mapping[str, Any]) -> NoReturn:
    """Be the command; what goes wrong is said where it would say it."""
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(said, stream)
    code = 70
    try:
        for dial, value in order["dials"].items():
            module, _, name = dial.rpartition(".")
            setattr(importlib.import_module(module), name, value)
        from seamscope.cli import main

        sys.argv = ["seamscope", *order["arguments"]]
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Fork and reap as told, until nobody is there to tell."""
    load()
    print(READY, flush=True)
    for line in sys.stdin:
        if line.startswith("reap "):
            print(os.waitstatus_to_exitcode(os.waitpid(int(line[5:]), 0)[1]), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
        print(pid, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the trials closes our input
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads do not live on in a child
    serve()
