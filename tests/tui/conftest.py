"""Pictures are kept as `.svg`, so that people can open them; a real store for what reads one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pytest_textual_snapshot import SVGImageExtension  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path

SVGImageExtension.file_extension = "svg"


@pytest.fixture(scope="session")
def store_path(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store of recorded Next.js and FastAPI traffic, analysed."""
    from collector.files import iter_bodies
    from collector.ingest import ingest
    from seamscope.runs import analyze
    from seamscope.store import Store

    path = tmp_path_factory.mktemp("store") / "recorded.duckdb"
    bodies = [body for file in sorted(captures.rglob("*.pb")) for body in iter_bodies(file)]
    store = Store.open(path)
    store.commit(ingest(bodies).tables, now_ns=1)
    analyze(store, everything=True)
    store.close()
    return path


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is said in passing until it was looked at, however slow the machine."""
    monkeypatch.setattr("tui.widgets.key_bar.SAID_SECONDS", 600)
