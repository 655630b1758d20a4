"""What `gunicorn shop.wsgi:application` serves: Django, traced, under the second instrument."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

from shop import telemetry, witness  # noqa: E402 - Django is patched before it loads its middleware

_provider = telemetry.start()

from django.core.wsgi import get_wsgi_application  # noqa: E402

witness.watch_django()
application = witness.watched(get_wsgi_application())
