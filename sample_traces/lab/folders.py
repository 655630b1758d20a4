"""A tap that takes this machine's folders out of recorded stack traces: exceptions carry them."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tap import all_spans

ANY = re.compile(
    r"/(?:work|root|home|Users|tmp|var|usr|opt|srv|private)/[^\s:)]*?(?=/node_modules/|/\.next/|/lab/|/[^/\s:)]*[:)]|$)"
)
"""Any folder that programs are built or installed in."""


def without_folders(
    bodies: Sequence[ExportTraceServiceRequest], folder: re.Pattern[str] = ANY, instead: str = "/app"
) -> list[ExportTraceServiceRequest]:
    """The bodies, with `instead` for every such folder in the texts of events and of statuses."""
    own = [copy.deepcopy(body) for body in bodies]
    for span in all_spans(own):
        span.status.message = folder.sub(instead, span.status.message)
        for event in span.events:
            for pair in event.attributes:
                if pair.value.HasField("string_value"):
                    pair.value.string_value = folder.sub(instead, pair.value.string_value)
    return own
