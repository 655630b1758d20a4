"""Who asks: the shopper's number, from the session that the edge has already checked."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from opentelemetry import trace


class Shopper:
    """Puts `request.shopper` on every request, and says on the span how its session fared."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        user = request.headers.get("authorization", "").removeprefix("Bearer ").partition(".")[0]
        request.shopper = int(user) if user.isdigit() else None
        trace.get_current_span().set_attribute("seamscope.auth.outcome", "ok" if request.shopper else "missing")
        return self.get_response(request)
