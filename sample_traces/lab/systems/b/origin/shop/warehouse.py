"""Reports go through SQLAlchemy, as in shops where they were written before the rest."""

from __future__ import annotations

import os

from django.conf import settings
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import NullPool, QueuePool, create_engine, text

from shop import telemetry, witness

_AT = "{user}@{host}:{port}/{name}".format(
    **{
        key.lower(): str(value)
        for key, value in settings.DATABASES["default"].items()
        if key in {"USER", "HOST", "PORT", "NAME"}
    }
)
_POOLED = settings.SQLALCHEMY_POOL > 0
engine = create_engine(
    f"postgresql+psycopg://{_AT}",
    **(
        {"poolclass": QueuePool, "pool_size": settings.SQLALCHEMY_POOL, "max_overflow": 0}
        if _POOLED
        else {"poolclass": NullPool}
    ),
)
if "sqlalchemy" not in telemetry.BLIND:
    SQLAlchemyInstrumentor().instrument(engine=engine)

_REPORT = text(
    "SELECT a.region, count(*) AS orders, held(:ms) FROM orders o JOIN accounts a ON a.id = o.account_id"
    " WHERE o.placed >= CAST(:month || '-01' AS timestamptz)"
    " AND o.placed < CAST(:month || '-01' AS timestamptz) + interval '1 month'"
    " GROUP BY a.region ORDER BY a.region LIMIT 4"
)


def fill() -> None:
    """Open what the pool may hold, so that no request pays for a connect."""
    held = [engine.connect() for _ in range(settings.SQLALCHEMY_POOL)]
    for one in held:
        one.close()


def report(month: str, ms: float) -> list[dict[str, object]]:
    """Orders of a month by region."""
    cause, owner = ("pool_wait", witness.OWN) if _POOLED else ("connect", f"{witness.OWN}→{witness.DATABASE}")
    with witness.timed(cause, owner, "a timer around the checkout of a connection"):
        connection = engine.connect()
    with connection:
        with witness.timed("query", witness.DATABASE, "a timer around the statement"):
            rows = connection.execute(_REPORT, {"month": month, "ms": ms / 4}).all()
    return [{"region": row.region, "orders": row.orders} for row in rows]


if os.environ.get("WARM_POOL") == "yes" and _POOLED:
    fill()
