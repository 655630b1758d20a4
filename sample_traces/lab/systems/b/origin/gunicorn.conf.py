"""Gunicorn's settings: the last spans are sent before a worker ends."""

from __future__ import annotations

from typing import Any


def worker_exit(server: Any, worker: Any) -> None:
    """Called in the worker, just before it ends."""
    from shop.wsgi import _provider

    _provider.force_flush(2000)


def post_worker_init(worker: Any) -> None:
    """Load what the first request would otherwise load."""
    import shop.views  # noqa: F401
