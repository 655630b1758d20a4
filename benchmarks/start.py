"""How long a person waits for `seamscope --help`: whole processes, median of nine after one to warm up."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Print `{"help_s": …, "python_s": …}`; the second is what an interpreter that does nothing takes."""
    helps = [sys.executable, "-m", "seamscope", "--help"]
    idle = [sys.executable, "-c", "pass"]
    _seconds(helps)
    pairs = [(_seconds(helps), _seconds(idle)) for _ in range(9)]
    figures = [round(statistics.median(column), 3) for column in zip(*pairs, strict=True)]
    print(json.dumps(dict(zip(("help_s", "python_s"), figures, strict=True))))


if __name__ == "__main__":
    main()
