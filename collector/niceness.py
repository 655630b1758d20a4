"""Threads that leave the cores to those that store what comes in, whenever both want one."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

NICENESS: Final = 10
"""A tenth of what a thread that stores gets, where both want a core."""


def step_back() -> None:
    """Let whoever stores go before this thread, and those it starts. Only Linux has niceness of threads."""
    if sys.platform == "linux":
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), max(own, NICENESS))
