"""What `celery -A shop.worker worker` runs: the application, traced."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

from shop import telemetry  # noqa: E402 - Celery is patched before the application is made

_provider = telemetry.start()
django.setup()

from celery.signals import worker_shutting_down  # noqa: E402

import shop.tasks  # noqa: E402, F401 - registers the jobs
from shop.celery import application as app  # noqa: E402, F401 - found by name


@worker_shutting_down.connect
def _flush(**_: object) -> None:
    _provider.force_flush(2000)
