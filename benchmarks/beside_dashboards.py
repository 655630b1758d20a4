"""How long an acknowledgement takes at a rate, alone and beside dashboards that are written again and again.

    python -m benchmarks.beside_dashboards --rate 40000

Each of three processes reads all a dashboard shows through the collector's socket and writes its pages, in a loop. The
sender is `benchmarks.drive`: requests are due at fixed times, and an answer's time counts from then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.ingest import PROJECT, Load, Receiver, collector
from benchmarks.meters import ProcessMeter
from benchmarks.requests import SPANS

if TYPE_CHECKING:
    from collections.abc import Iterator

DASHBOARD: Final = """
import sys
from pathlib import Path
from dashboards.write import write_dashboards
from seamscope.errors import SeamscopeError
from seamscope.reading.boundary import boundary
from seamscope.remote import open_store
from seamscope.results import Selection
while True:
    try:
        with open_store(sys.argv[1]) as reader:
            seen = boundary(reader, Selection("", None, None), pages=80)
        write_dashboards(seen, Path(sys.argv[2]))
        print("written", flush=True)
    except SeamscopeError as error:
        print("refused", error, flush=True)
"""


@contextmanager
def dashboard(db: Path, folder: Path) -> Iterator[Path]:
    """Write a dashboard's pages in a loop during a block; give the file that tells each time."""
    said = folder / "said"
    folder.mkdir()
    with said.open("w") as out:
        command = [sys.executable, "-c", DASHBOARD, str(db), str(folder / "pages")]
        process = subprocess.Popen(command, cwd=PROJECT, stdout=out)
        try:
            yield said
        finally:
            process.kill()
            process.wait()


def trial(load: Load, requests: int, dashboards: int) -> dict[str, Any]:
    """Send at a rate to a collector that has some traffic stored, beside so many dashboards."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        ready = parts.enter_context(collector(folder))
        receiver = Receiver(ready["grpc"], ready["pid"], ProcessMeter(ready["pid"]))
        load.run(receiver, requests // 4, SPANS)
        db = folder / "store.duckdb"
        told = [parts.enter_context(dashboard(db, folder / f"dashboard-{number}")) for number in range(dashboards)]
        found: dict[str, Any] = load.run(receiver, requests, SPANS)
        words = [line.split()[0] for said in told for line in said.read_text().splitlines()]
        return found | {"dashboards_written": words.count("written"), "dashboards_refused": words.count("refused")}


def main() -> None:
    """Print the figures without and with dashboards, and how many times longer the 99th in a hundred takes."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rate", type=float, default=40_000.0, help="spans a second")
    words.add_argument("--seconds", type=float, default=30.0)
    words.add_argument("--dashboards", type=int, default=3)
    chosen = words.parse_args()
    load = Load((sys.executable, "-m", "benchmarks.drive"), ("48", "--rate", str(chosen.rate)))
    requests = round(chosen.rate * chosen.seconds / SPANS)
    alone, beside = trial(load, requests, 0), trial(load, requests, chosen.dashboards)
    print(json.dumps({"alone": alone, "beside": beside, "ratio_p99": round(beside["p99_ms"] / alone["p99_ms"], 2)}))


if __name__ == "__main__":
    main()
