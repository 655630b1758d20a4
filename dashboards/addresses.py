"""Names of the pages' files: readable, safe in any file system, the same for the same thing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_ODD = re.compile(r"[^a-z0-9]+")
_READABLE = 40


def slug(name: str) -> str:
    """Give a file name for a route or seam: its letters and digits, and a digest that tells look-alikes apart."""
    readable = _ODD.sub("-", name.lower()).strip("-")[:_READABLE].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable or 'unnamed'}-{digest}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things are, seen from a page: `root` leads to the folder's top."""

    requests: frozenset[str]
    """Requests that have a page."""
    routes: frozenset[str]
    seams: frozenset[str]
    root: str = ""

    def request(self, request_id: str | None) -> str | None:
        """Give the page of a request; None where it has none."""
        return f"{self.root}request/{request_id}.html" if request_id in self.requests else None

    def route(self, key: str) -> str:
        """Give the page of a route; empty where it has none."""
        return f"{self.root}route/{slug(key)}.html" if key in self.routes else ""

    def seam(self, key: str) -> str:
        """Give the page of a seam; empty where it has none."""
        return f"{self.root}seam/{slug(key)}.html" if key in self.seams else ""
