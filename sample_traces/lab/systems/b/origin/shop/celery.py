"""The Celery application: `celery -A shop.celery worker`."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

application = Celery("shop")
application.config_from_object("django.conf:settings", namespace="CELERY")
application.conf.task_ignore_result = True
application.conf.broker_connection_retry_on_startup = True
application.conf.worker_hijack_root_logger = False
