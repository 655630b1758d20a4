"""Settings of the shop: all that a scenario changes comes from the environment."""

import os

SECRET_KEY = "lab"  # nothing is signed with it
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
MIDDLEWARE = ["shop.middleware.Shopper"]
LOGGING_CONFIG = None

POOL = int(os.environ.get("DJANGO_POOL", "0"))
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("PGDATABASE", "shop"),
        "USER": os.environ.get("PGUSER", "shop"),
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "PORT": os.environ.get("PGPORT", "5432"),
        # a pool and persistent connections exclude each other
        "CONN_MAX_AGE": 0 if POOL else int(os.environ.get("CONN_MAX_AGE", "600")),
        "OPTIONS": {"pool": {"min_size": POOL, "max_size": POOL, "timeout": 30}} if POOL else {},
    }
}

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = os.environ.get("BROKER_URL", REDIS_URL)
SQLALCHEMY_POOL = int(os.environ.get("SQLALCHEMY_POOL", "16"))
