"""How large what a scenario injects is: read once from the environment, in milliseconds or counts."""

from __future__ import annotations

import hashlib
import os


def number(name: str, default: float) -> float:
    """The environment's number of this name."""
    return float(os.environ.get(name, default))


REPORT_MS = number("REPORT_MS", 6)
PICKS_MS = number("PICKS_MS", 25)
STOCK_MS = number("STOCK_MS", 6)
PANEL_MS = number("PANEL_MS", 12)
BANNER_MS = number("BANNER_MS", 8)
RELATED_EACH = int(number("RELATED_EACH", 0))
RELATED_MS = number("RELATED_MS", 0)
HANG_MS = number("HANG_MS", 0)
SIGN_ROUNDS = int(number("SIGN_ROUNDS", 0))
JOB_MS = number("JOB_MS", 15)
SHARE = number("FAULT_SHARE", 1)


def hit(request_id: str, share: float) -> bool:
    """Whether a request is among those that a fault touches; the lab's `scenario.hit` answers the same."""
    digest = hashlib.sha256(f"0:{request_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32
