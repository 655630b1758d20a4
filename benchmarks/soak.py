"""`make soak`: the long forms of the trials of faults and attacks, one after another; hours on two cores.

    python -m benchmarks.soak                     # all
    python -m benchmarks.soak kills --share 0.1   # a tenth of the kills

A line of JSON for each on stdout, the command that repeats it on stderr; exit code 1 if one found something wrong. What
the last runs found stands in `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parent.parent

LONG: Final = {
    "kills": ("benchmarks.chaos --damages 0 --full-disks 0 --kills {}", 1_000),
    "damages": ("benchmarks.chaos --kills 0 --full-disks 0 --damages {}", 500),
    "full_disks": ("benchmarks.chaos --kills 0 --damages 0 --full-disks {}", 100),
    "mutations": ("benchmarks.mutations --requests {}", 5_000_000),
    "readers": ("benchmarks.readers --seconds {}", 300),
}
"""What is run, and how much of it."""


def command(name: str, share: float) -> list[str]:
    """Give the words after `python -m` of a long form, or of a share of it."""
    words, amount = LONG[name]
    return words.format(max(1, round(amount * share))).split()


def main() -> int:
    """Run the named forms (all by default)."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("names", nargs="*", metavar="NAME", help=", ".join(LONG))
    words.add_argument("--share", type=float, default=1.0, help="of each form's amount")
    chosen = words.parse_args()
    if unknown := set(chosen.names) - set(LONG):
        words.error(f"no long form {', '.join(sorted(unknown))}; there are {', '.join(LONG)}")
    failed = False
    for name in chosen.names or LONG:
        run = [sys.executable, "-m", *command(name, chosen.share)]
        print(f"soak: {shlex.join(['python', *run[1:]])}", file=sys.stderr, flush=True)
        done = subprocess.run(run, cwd=PROJECT, check=False, stdout=subprocess.PIPE, text=True)
        failed |= done.returncode != 0
        figures = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
        print(json.dumps({"name": name, "exit": done.returncode, **figures}), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
