"""Whether the answers depend on the systems they were tuned on: every dial is set anew on all systems but one.

    python -m benchmarks.leave_one_out [RECORDINGS] [--work DIR] [--dials lines,setups]

A dial is a threshold of the analysis that could have been another number. Each is tried at its other values, one at a
time, on all recordings. Then, for every system in turn, each dial takes the value that served the *other* systems best,
and the system that had no say is judged with all of them set so. Whole copies of the program are judged, each in a
process of its own; what was judged is kept in `--work`, and the same line goes on where it was stopped. Hours of CPU;
one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
ROOMS: Final = ("analysis", "collector", "seamscope")

Settings = tuple[tuple[str, str], ...]
"""Dials that stand at another value than the shipped one, sorted."""
Tally = dict[str, dict[str, int]]
"""Of a system's requests: `{figure: {"count": …, "of": …}}`."""


@dataclass(frozen=True, slots=True)
class Dial:
    """A threshold, where it stands, and the other values it is tried at."""

    module: str
    name: str
    others: tuple[str, ...]

    @property
    def label(self) -> str:
        """What it is called in the report."""
        return f"{self.module}.{self.name}"


DIALS: Final = (
    Dial("analysis.baselines", "FEWEST", ("6", "16")),
    Dial("analysis.baselines", "ALIKE", ("1.1", "1.5")),
    Dial("analysis.ceilings", "FEWEST", ("5", "12")),
    Dial("analysis.ceilings", "SURE", ("0.6", "0.8")),
    Dial("analysis.lines", "WORTH", ("0.15", "0.4")),
    Dial("analysis.stalls", "NEARLY_ALL", ("0.8", "0.95")),
    Dial("analysis.setups", "NEAR", ("0.02", "0.06")),
    Dial("analysis.setups", "MOST_OF_THEM", ("0.35", "0.7")),
    Dial("analysis.dials", "FEWEST_LATER", ("5", "14")),
    Dial("analysis.findings.cases", "MATERIAL_SHARE", ("0.05", "0.2")),
    Dial("analysis.findings.serial", "FEWEST_SEEN", ("10", "40")),
    Dial("analysis.findings.serial", "MOSTLY", ("0.8", "0.95")),
)
"""The statistical thresholds; codes, bounds of size and the field's own constants are not dials."""

FIGURES: Final = ("tier_top1", "cause_top1", "answered", "findings_precision", "findings_recall", "false_causes")
FIGURES_HEALTHY: Final = (*FIGURES, "false_causes_healthy")


def tallies(document: dict[str, Any]) -> dict[str, Tally]:
    """Add up a score document's counts, system by system."""
    found: dict[str, Tally] = {}
    for scenario in document["scenarios"]:
        tally = found.setdefault(scenario["system"], {name: {"count": 0, "of": 0} for name in FIGURES_HEALTHY})
        for name, sums in tally.items():
            for part in sums:
                sums[part] += scenario[name][part]
    return found


def together(some: list[Tally]) -> Tally:
    """Add tallies of several systems."""
    return {
        name: {part: sum(tally[name][part] for tally in some) for part in ("count", "of")} for name in FIGURES_HEALTHY
    }


def rate(tally: Tally, name: str) -> float:
    """Return a figure's share (0 to 1); 0 where nothing was counted."""
    return tally[name]["count"] / max(tally[name]["of"], 1)


def worth(tally: Tally) -> float:
    """Weigh a setting: causes named rightly among all judged, findings (F1), and what was blamed wrongly.

    A false cause on healthy traffic weighs ten times: it sends somebody to look where nothing is.
    """
    right = rate(tally, "cause_top1") * rate(tally, "answered")
    precision, recall = rate(tally, "findings_precision"), rate(tally, "findings_recall")
    findings = 2 * precision * recall / max(precision + recall, 1e-9)
    return right + findings - rate(tally, "false_causes") - 10 * rate(tally, "false_causes_healthy")


def chosen(judged: dict[Settings, dict[str, Tally]], without: str) -> Settings:
    """Set every dial as served all systems but one best; a tie leaves it as shipped."""

    def served(settings: Settings) -> float:
        return worth(together([tally for system, tally in judged[settings].items() if system != without]))

    best: dict[str, tuple[float, str]] = {}
    for settings in judged:
        if len(settings) != 1:
            continue
        (label, value), gain = settings[0], served(settings) - served(())
        if gain > best.get(label, (0.0, ""))[0]:
            best[label] = gain, value
    return tuple(sorted((label, value) for label, (_, value) in best.items()))


def turn(text: str, name: str, value: str) -> str:
    """Write a module anew with one threshold at another value.

    Raises:
        LookupError: the module has no such threshold.
    """
    turned, found = re.subn(rf"^({name}: Final = )\S+", rf"\g<1>{value}", text, count=1, flags=re.MULTILINE)
    if not found:
        raise LookupError(f"no dial {name}")
    return turned


def build(tree: Path, settings: Settings) -> None:
    """Copy the program with its dials set; compiled forms that may hold a turned dial stay behind."""
    shutil.rmtree(tree, ignore_errors=True)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room)
    for label, value in settings:
        module, name = label.rsplit(".", 1)
        file = (tree / module.replace(".", "/")).with_suffix(".py")
        file.write_text(turn(file.read_text(), name, value))
        for source in (tree / "analysis").rglob("*.py"):
            if name in source.read_text():
                for compiled in source.parent.glob(f"__pycache__/{source.stem}.*"):
                    compiled.unlink()


def judge(settings: Settings, recordings: Path, work: Path) -> dict[str, Tally]:
    """Score all recordings with dials set, or read what was scored before."""
    name = "-".join(f"{label.removeprefix('analysis.')}={value}" for label, value in settings) or "shipped"
    kept = work / f"{name}.json"
    if not kept.exists():
        print(f"leave-one-out: {name} …", file=sys.stderr, flush=True)
        build(work / "tree", settings)
        command = [sys.executable, "-m", "seamscope", "score", str(recordings.resolve()), "--json"]
        environment = {**os.environ, "PYTHONPATH": str(work / "tree")}
        done = subprocess.run(command, cwd=work / "tree", env=environment, check=True, stdout=subprocess.PIPE)
        kept.write_bytes(done.stdout)
    return tallies(json.loads(kept.read_text()))


def report(judged: dict[Settings, dict[str, Tally]], choices: dict[str, Settings]) -> dict[str, Any]:
    """Put every system's figures as shipped beside those without its own say."""
    return {
        system: {
            "dials": dict(settings),
            "shipped": {name: round(rate(judged[()][system], name), 4) for name in FIGURES_HEALTHY},
            "left_out": {name: round(rate(judged[settings][system], name), 4) for name in FIGURES_HEALTHY},
        }
        for system, settings in choices.items()
    }


def main() -> None:
    """Try every dial, choose without each system in turn, judge that system, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="?", type=Path, default=ROOT / "sample_traces")
    parser.add_argument("--work", type=Path, default=Path("leave-one-out"))
    parser.add_argument("--dials", default="", help="only those with one of these words in their name")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    work = arguments.work.resolve()
    dials = [dial for dial in DIALS if any(word in dial.label for word in arguments.dials.split(","))]
    tried: list[Settings] = [(), *(((dial.label, value),) for dial in dials for value in dial.others)]
    judged = {settings: judge(settings, arguments.recordings, work) for settings in tried}
    choices = {system: chosen(judged, system) for system in sorted(judged[()])}
    for settings in choices.values():
        judged[settings] = judge(settings, arguments.recordings, work)
    print(json.dumps(report(judged, choices)))


if __name__ == "__main__":
    main()
