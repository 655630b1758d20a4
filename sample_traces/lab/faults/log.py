"""Where instruments write what they did, and how they say that they are ready."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path


class Log:
    """Appends witness lines to a file; with an empty path it keeps quiet."""

    def __init__(self, path: str, source: str) -> None:
        self._file = open(path, "a", encoding="utf-8", buffering=1) if path else None
        self._source = source
        self._lock = threading.Lock()

    def line(
        self, cause: str, start_ns: int, *, owner: str = "", request_id: str = "", call: str = "", end_ns: int = 0
    ) -> None:
        """One interval that ends now, unless `end_ns` says when."""
        if self._file is None:
            return
        one = {"request_id": request_id, "call": call, "owner": owner, "cause": cause, "start_ns": start_ns}
        one |= {"end_ns": end_ns or time.monotonic_ns(), "source": self._source}
        with self._lock:
            self._file.write(json.dumps(one, ensure_ascii=False) + "\n")


def say_ready(path: str) -> None:
    """Make the file that the stage waits for."""
    if path:
        Path(path).touch()


def drawn_ms(base_ms: float, spread: float, salt: str) -> float:
    """A delay around its base, ± spread of it, always the same for the same salt."""
    return base_ms * (1 + spread * (2 * random.Random(salt).random() - 1))
