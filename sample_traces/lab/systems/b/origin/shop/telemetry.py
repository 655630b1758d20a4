"""OpenTelemetry as the Python distribution's own guide sets it up; BLIND leaves out what a scenario wants unseen."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

BLIND = frozenset(os.environ.get("BLIND", "").split(","))


def start() -> TracerProvider:
    """Start tracing in this process; what it is called comes from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES."""
    provider = TracerProvider(resource=Resource.create())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()
    DjangoInstrumentor().instrument()
    if "psycopg" not in BLIND:
        PsycopgInstrumentor().instrument()
    if "redis" not in BLIND:
        RedisInstrumentor().instrument()
    if os.environ.get("POOL_SPAN") == "yes":
        _span_around_pool()
    return provider


def _span_around_pool() -> None:
    """A span of our own around Django's wait for its pool, which no instrumentation shows; its phase names it."""
    from django.db.backends.base.base import BaseDatabaseWrapper

    connect, tracer = BaseDatabaseWrapper.connect, trace.get_tracer("shop")

    def spanned(self: Any) -> Any:
        with tracer.start_as_current_span("take connection", attributes={"seamscope.phase": "pool_wait"}):
            return connect(self)

    BaseDatabaseWrapper.connect = spanned
