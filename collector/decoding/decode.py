"""Bodies as they came through a door, and the one function that makes columns of those that hold traces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from collector.decoding import flat
from collector.decoding.otlp_json import read_json
from collector.decoding.signals import TRACES
from collector.decoding.spans import flatten
from collector.decoding.wire import read_wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector.decoding.flat import FlatTraces
    from collector.decoding.wire import WireLimits

Encoding = Literal["protobuf", "json"]
Signal = Literal["traces", "logs", "metrics"]


@dataclass(frozen=True, slots=True)
class Body:
    """An export request as it came: inflated, not yet read."""

    data: bytes
    encoding: Encoding
    signal: Signal


def _renumbered(batch: FlatTraces, positions: Sequence[int]) -> FlatTraces:
    """Return the batch with body n called `positions[n]`."""
    numbers = np.array(positions, np.uint32)
    errors: list[str | None] = [None] * len(positions)
    oddities = np.zeros(len(positions), np.int64)
    for at, position in enumerate(positions):
        errors[position] = batch.errors[at]
    oddities[numbers] = batch.oddities
    return replace(
        batch,
        spans=replace(batch.spans, body=numbers[batch.spans.body]),
        resources=replace(batch.resources, body=numbers[batch.resources.body]),
        errors=tuple(errors),
        oddities=oddities,
    )


def decode_traces(bodies: Sequence[Body], limits: WireLimits | None = None) -> FlatTraces:
    """Return the columns of trace requests; a body that cannot be read has its error there and no rows.

    Together the bodies are less than 256 MiB. Rows of protobuf bodies come before those of JSON bodies.
    """
    wire = [at for at, body in enumerate(bodies) if body.encoding == "protobuf"]
    text = [at for at, body in enumerate(bodies) if body.encoding == "json"]
    parts = []
    if wire:
        parts.append(flatten(read_wire([bodies[at].data for at in wire], TRACES, limits)))
    if text:
        parts.append(flatten(read_json([bodies[at].data for at in text], TRACES, limits)))
    batch = flat.concat(parts)
    return batch if not wire or not text else _renumbered(batch, wire + text)
