"""What the shop answers, all of it JSON."""

from __future__ import annotations

import hashlib
import json
import time

import redis
from django.conf import settings
from django.db import connection
from django.db.models import Avg, FloatField, Func, IntegerField, Value
from django.http import HttpRequest, JsonResponse
from opentelemetry import trace

from shop import sizes, warehouse, witness
from shop.models import Account, Order, Product, Review
from shop.tasks import confirm

_redis = redis.Redis.from_url(settings.REDIS_URL)
_CACHE = f"data:redis/{settings.REDIS_URL.rpartition('/')[2]}"


def _held(ms: float) -> Func:
    return Func(Value(ms, output_field=FloatField()), function="held", output_field=IntegerField())


def _say(scope: str) -> None:
    """Whose the answer is: public answers may be cached for all, personalised ones must not."""
    trace.get_current_span().set_attribute("seamscope.cache.scope", scope)


def me(request: HttpRequest) -> JsonResponse:
    """The shopper's account."""
    _say("personalised")
    account = Account.objects.filter(pk=request.shopper).first()
    return JsonResponse({"id": request.shopper, "name": account.name if account else "Stranger"})


def orders(request: HttpRequest) -> JsonResponse:
    """The shopper's latest orders; with POST, one more, confirmed by a job."""
    _say("personalised")
    if request.method == "POST":
        placed = Order.objects.create(account_id=request.shopper, placed="2026-11-01T00:00:00Z")
        confirm.delay(placed.pk, witness.request_id())
        return JsonResponse({"id": placed.pk, "items": len(json.loads(request.body)["skus"])})
    latest = Order.objects.filter(account_id=request.shopper).order_by("-placed")[:5]
    return JsonResponse([{"id": one.pk, "placed": one.placed.isoformat()} for one in latest], safe=False)


def recommendations(request: HttpRequest) -> JsonResponse:
    """What else the shopper may like: one statement that takes its time."""
    _say("personalised")
    best = Review.objects.annotate(held=_held(sizes.PICKS_MS / 5)).values("product_id", "product__name", "held")
    picks = best.order_by("-stars")[:5]
    return JsonResponse([{"product": one["product_id"], "name": one["product__name"]} for one in picks], safe=False)


def product(request: HttpRequest, number: int) -> JsonResponse:
    """A product and its neighbours on the shelf, with their stars: in one statement, or one each."""
    _say("public")
    found = Product.objects.filter(pk=number).first()
    if found is None:
        return JsonResponse({"error": "no such product"}, status=404)
    near = Product.objects.filter(shelf=found.shelf).exclude(pk=number)[: sizes.RELATED_EACH or 4]
    return JsonResponse(
        {
            "id": number,
            "name": found.name,
            "related": _each(near) if _touched() and sizes.RELATED_EACH else _at_once(near),
        }
    )


def _touched() -> bool:
    return sizes.hit(witness.request_id(), sizes.SHARE)


def _each(near: list[Product]) -> list[dict[str, object]]:
    """A statement per neighbour: what an object mapper does unasked."""
    stars = []
    for one in near:
        best = Review.objects.filter(product_id=one.pk).order_by("-stars").annotate(held=_held(sizes.RELATED_MS))
        found = best.values("stars", "held").first()
        stars.append({"id": one.pk, "name": one.name, "stars": found["stars"] if found else None})
    return stars


def _at_once(near: list[Product]) -> list[dict[str, object]]:
    return list(near.annotate(stars=Avg("review__stars")).values("id", "name", "stars"))


def report(request: HttpRequest, month: str) -> JsonResponse:
    """Orders of a month by region."""
    _say("public")
    return JsonResponse(warehouse.report(month, sizes.REPORT_MS if _touched() else 6), safe=False)


def quote(request: HttpRequest) -> JsonResponse:
    """A price, which Redis keeps; the first time for a product it comes from the table."""
    _say("public")
    number = int(request.GET["sku"])
    if sizes.HANG_MS and _touched() and _first_time():
        with witness.timed("compute", witness.OWN, "a timer around the stretch that hangs"):
            time.sleep(sizes.HANG_MS / 1000)
    with witness.timed("query", _CACHE, "a timer around the command"):
        kept = _redis.get(f"price:{number}")
    if kept is None:
        kept = str(Product.objects.values_list("list_cents", flat=True).filter(pk=number).first() or 0).encode()
        with witness.timed("query", _CACHE, "a timer around the command"):
            _redis.set(f"price:{number}", kept)
    return JsonResponse({"sku": number, "price_cents": int(kept), "signed": _signed(kept)})


def _signed(price: bytes) -> str:
    """The price's signature: work for the processor, and nothing to wait for."""
    for _ in range(sizes.SIGN_ROUNDS):
        price = hashlib.sha256(price).digest()
    return price.hex()[:16]


_seen: set[str] = set()


def _first_time() -> bool:
    """Whether this request has not been here before: what hangs once answers at once when it is asked again."""
    known = witness.request_id() in _seen
    _seen.add(witness.request_id())
    return not known


def stock(request: HttpRequest) -> JsonResponse:
    """How many are left: a statement that takes its time."""
    _say("public")
    ms = sizes.STOCK_MS if _touched() else 6
    found = Product.objects.filter(pk=int(request.GET["sku"])).annotate(held=_held(ms)).values("shelf", "held").first()
    return JsonResponse({"left": found["shelf"] if found else 0})


def panel(request: HttpRequest, name: str) -> JsonResponse:
    """One panel of the overview."""
    _say("public")
    return JsonResponse({"text": f"{name}: {_panel()}"})


def next_panel(request: HttpRequest) -> JsonResponse:
    """The panel after a cursor, and the next cursor: who wants the third must have the second."""
    _say("public")
    return JsonResponse({"text": f"{_panel()}", "next": f"{request.GET.get('cursor', '')[:40]}+"})


def _panel() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), held(%s) FROM accounts", [sizes.PANEL_MS])
        return int(cursor.fetchone()[0])


def banner(request: HttpRequest) -> JsonResponse:
    """An advertisement, from a table that somebody else writes to."""
    _say("public")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, held(%s) FROM products WHERE id = %s", [sizes.BANNER_MS, 7])
        return JsonResponse({"text": cursor.fetchone()[0]})
