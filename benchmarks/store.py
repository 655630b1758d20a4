"""What the store costs: commits by group size, re-sent spans, bytes per span, a restart, and reading through the views.

    python -m benchmarks.store

Spans are those of `benchmarks.decode` (ten attributes), decoded and normalised as the collector does it. Seconds per
million spans and milliseconds are CPU time of the whole process, so a busy machine disturbs them little.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.requests import request
from collector.decoding.decode import Body
from collector.ingest import ingest
from seamscope.store import Settings, Store, StoreFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GROUPS: Final = {512: 60, 4_096: 30, 16_384: 16}
"""Spans per commit, and how many commits are made."""

READS: Final = {
    "trace_by_macro": "SELECT * FROM trace($trace)",
    "trace_by_text_all_columns": "SELECT * FROM spans WHERE trace_id = $trace",
    "trace_by_text_three_columns": "SELECT name, kind, duration_ns FROM spans WHERE trace_id = $trace",
    "ids_of_all": "SELECT max(trace_id), max(span_id), max(parent_span_id) FROM spans",
    "p95_by_service_and_kind": "SELECT service, kind, quantile_cont(duration_ns, 0.95) FROM spans GROUP BY ALL",
    "attribute_of_all": "SELECT count(DISTINCT attr(attributes, 'url.full')) FROM spans",
}


def _batch(bodies: int, seed: int) -> dict[str, pa.Table]:
    dice = random.Random(seed)
    given = [Body(request(dice).SerializeToString(), "protobuf", "traces") for _ in range(bodies)]
    return dict(ingest(given).tables)


def _moved(batch: Mapping[str, pa.Table], number: int) -> dict[str, pa.Table]:
    """Give the same spans in other traces, so that they are no retry."""
    spans = batch["spans"].combine_chunks()
    ids = np.asarray(spans["trace_lo"]) ^ np.uint64(number * 7_919 + 1)
    place = spans.schema.get_field_index("trace_lo")
    return {**batch, "spans": spans.set_column(place, "trace_lo", pa.array(ids))}


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _commits(path: Path, size: int, count: int) -> dict[str, float]:
    """Commit groups of one size; seconds per million spans, and the share of looking for retries in them."""
    batch = _batch(size // 512, 1)
    with Store.open(path, settings=Settings(checkpoint_bytes=1 << 40)) as store:
        store.commit(_batch(1, 2), now_ns=1)
        groups = [_moved(batch, number) for number in range(count)]
        looking = sum(_seconds(lambda group=group: store._ingest.prepare(group)) for group in groups)  # type: ignore[misc]  # noqa: SLF001
        writing = sum(_seconds(lambda group=group: store.commit(group, now_ns=2)) for group in groups)  # type: ignore[misc]
        resent = sum(_seconds(lambda group=group: store.commit(group, now_ns=3)) for group in groups)  # type: ignore[misc]
        folding = _seconds(store.checkpoint)
    million = size * count / 1e6
    return {
        "commit_s_per_million": round(writing / million, 2),
        "of_it_retry_check": round(looking / million, 2),
        "resent_s_per_million": round(resent / million, 2),
        "checkpoint_s_per_million": round(folding / million, 2),
        "bytes_per_span": round(path.stat().st_size / (size * count), 1),
    }


def _reads(path: Path, spans: int) -> dict[str, float]:
    """Read through the views of a store of `spans` spans: milliseconds per statement."""
    batch = _batch(32, 3)
    size = batch["spans"].num_rows
    with Store.open(path) as store:
        for number in range(spans // size):
            store.commit(_moved(batch, number), now_ns=number)
    opening = _seconds(lambda: Store.open(path).close())
    with StoreFile.open(path) as file:
        trace = file.query("SELECT trace_id FROM spans LIMIT 1").item()
        found = {f"{name}_ms": _milliseconds(file, text, trace) for name, text in READS.items()}
    return {"spans": spans, "open_to_write_ms": round(opening * 1e3, 1), **found}


def _milliseconds(file: StoreFile, text: str, trace: str) -> float:
    return round(min(_seconds(lambda: file.query(text, {"trace": trace})) for _ in range(3)) * 1e3, 1)


def main() -> None:
    """Print the figures as one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, Any] = {
            f"groups_of_{size}": _commits(Path(folder) / f"{size}.duckdb", size, count)
            for size, count in GROUPS.items()
        }
        figures["read"] = _reads(Path(folder) / "read.duckdb", 1_000_000)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
