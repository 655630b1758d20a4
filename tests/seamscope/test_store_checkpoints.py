"""The thread that folds the log in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from seamscope.store.checkpoints import Checkpoints

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 20.0


class Folding:
    """A checkpoint that lasts until it is told to end."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def checkpoint(self) -> None:
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)


def test_a_stop_during_a_checkpoint_is_heard(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"12")
    folding = Folding()
    checkpoints = Checkpoints(folding.checkpoint)
    checkpoints.consider(log, 1)
    assert folding.begun.wait(PATIENCE_S)
    stopping = threading.Thread(target=checkpoints.stop, daemon=True)
    stopping.start()
    assert checkpoints._stopped.wait(PATIENCE_S)
    assert checkpoints._wanted.is_set()
    folding.may_end.set()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()
