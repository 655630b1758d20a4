"""What a receiver costs: CPU seconds and memory of a process and its children or of a control group, bytes on disk."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, Protocol

TICKS: Final = os.sysconf("SC_CLK_TCK")
IDLE: Final = 0.05
"""A receiver that takes less than this share of a core has done its work."""


class Meter(Protocol):
    """Reads what a receiver has taken until now."""

    def cpu_s(self) -> float:
        """Give CPU seconds."""

    def peak_mib(self) -> float:
        """Give the most memory it has held, in MiB."""


class ProcessMeter:
    """Of a process and its descendants; the peak is the sum of theirs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def cpu_s(self) -> float:
        """Give CPU seconds, those of descendants that have ended included."""
        return sum(_ticks(pid, 4 if pid == self._pid else 2) for pid in self._pids()) / TICKS

    def peak_mib(self) -> float:
        """Give the most resident memory, in MiB."""
        lines = (line for pid in self._pids() for line in _read(f"/proc/{pid}/status").splitlines())
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def _pids(self) -> list[int]:
        found = [self._pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in _read(task).split()]
        return found


class GroupMeter:
    """Of a control group (`/sys/fs/cgroup/…`), version 2, or 1 with both controllers in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not ((folder / "cpu.stat").exists() or (folder / "cpuacct.usage").exists()):
            raise SystemExit(f"{folder} is no control group with CPU accounting")

    def cpu_s(self) -> float:
        """Give CPU seconds."""
        old = _read(self._folder / "cpuacct.usage")
        if old:
            return int(old) / 1e9
        return int(_read(self._folder / "cpu.stat").split()[1]) / 1e6

    def peak_mib(self) -> float:
        """Give the most memory, page cache included, in MiB; 0 where the kernel does not tell."""
        text = _read(self._folder / "memory.peak") or _read(self._folder / "memory.max_usage_in_bytes")
        return int(text or 0) / 2**20


def disk_bytes(place: Path) -> int:
    """Give what a file, or all files in a folder, take on the disk."""
    files = [place, *place.parent.glob(f"{place.name}.*")] if not place.is_dir() else place.rglob("*")
    return sum(found.stat().st_blocks * 512 for found in files if found.is_file())


def until_idle(meter: Meter, quiet_s: float, within_s: float = 300.0) -> bool:
    """Wait until a receiver has taken next to no CPU for so long; False where it never does."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        before = meter.cpu_s()
        time.sleep(quiet_s)
        if meter.cpu_s() - before < IDLE * quiet_s:
            return True
    return False


def _ticks(pid: int, fields: int) -> int:
    """Give a process's clock ticks: its own, user and system; with four fields, those of children that ended too."""
    found = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, found[11 : 11 + fields]))


def _read(place: str | Path) -> str:
    try:
        return Path(place).read_text()
    except OSError:
        return ""
