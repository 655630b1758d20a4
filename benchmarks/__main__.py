"""`make bench`: runs every benchmark in a process of its own; JSON on stdout, a table on stderr.

Give names to run only those: `make bench ARGS="decode ingest"`.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import Any

BENCHMARKS = ("decode", "store", "ingest", "analysis", "scale", "start", "first_paint")
"""Modules of this folder; each prints one JSON object of figures and exits 0."""


def _run(name: str) -> dict[str, Any]:
    print(f"bench: {name} …", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}"], check=False, stdout=subprocess.PIPE, text=True, timeout=1800
    )
    if done.returncode != 0:
        return {"failed": done.returncode}
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _rows(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _rows(f"{prefix}.{key}" if prefix else key, inner)]
    shown = (
        f"{value:,.3f}".rstrip("0").rstrip(".")
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )
    return [(prefix, shown)]


def main() -> int:
    """Run the named benchmarks (all by default); exit 1 if one failed."""
    names = sys.argv[1:] or list(BENCHMARKS)
    figures: dict[str, Any] = {"machine": {"python": platform.python_version(), "cores": os.cpu_count() or 0}}
    figures |= {name: _run(name) for name in names}
    for label, shown in _rows("", figures):
        print(f"{label:<56} {shown:>16}", file=sys.stderr)
    print(json.dumps(figures, indent=2))
    return int(any("failed" in figures[name] for name in names))


if __name__ == "__main__":
    sys.exit(main())
