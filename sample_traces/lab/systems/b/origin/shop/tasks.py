"""Jobs: nobody waits for them."""

from __future__ import annotations

import time


from shop import sizes, witness
from shop.celery import application


@application.task(name="shop.confirm")
def confirm(order: int, request_id: str) -> int:
    """Write the confirmation of an order."""
    with witness.about(request_id):
        began = time.monotonic_ns()
        time.sleep(sizes.JOB_MS / 1000)
        witness.note("job", witness.OWN, began, time.monotonic_ns(), "a timer around the job's work", awaited=False)
    return order
