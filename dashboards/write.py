"""The print room's doors: a boundary becomes a folder of pages, a request becomes one file."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dashboards import render
from dashboards.addresses import Addresses
from dashboards.detail_pages import route_page, seam_page
from dashboards.index_page import index_page
from dashboards.request_page import request_page
from seamscope.palette import CAUSE_HEX

if TYPE_CHECKING:
    from pathlib import Path

    from seamscope.results import Boundary, RequestDetail


def write_dashboards(seen: Boundary, out: Path) -> list[Path]:
    """Write the pages of a boundary into `out`; gives the pages, `index.html` first.

    The same boundary gives the same bytes. Pages of an earlier run that this one has no place for stay where they are.
    """
    where = Addresses(
        requests=frozenset(detail.row.request_id for detail in seen.details),
        routes=frozenset(group.key for group in seen.report.groups),
        seams=frozenset(row.seam for row in seen.seams),
    )
    render.write_assets(out)
    below = dataclasses.replace(where, root="../")
    pages = {"index.html": render.page("index.html.j2", index_page(seen, where), causes=_causes(seen))}
    for group in seen.report.groups:
        pages[where.route(group.key)] = render.page("route.html.j2", route_page(seen, group, below))
    for row in seen.seams:
        pages[where.seam(row.seam)] = render.page("seam.html.j2", seam_page(seen, row, below))
    for detail in seen.details:
        pages[f"request/{detail.row.request_id}.html"] = _request(detail, below)
    for name, text in pages.items():
        render.write(out / name, text)
    return [out / name for name in pages]


def _request(detail: RequestDetail, where: Addresses) -> str:
    route = where.route(detail.row.route)
    links = [("Boundary", f"{where.root}index.html"), *([("Route", route)] if route else [])]
    return render.single_page("request.html.j2", request_page(detail, links, where.root))


def request_html(detail: RequestDetail) -> str:
    """Give one request as one self-contained page."""
    return render.single_page("request.html.j2", request_page(detail))


def write_request(detail: RequestDetail, path: Path) -> None:
    """Write one request as one self-contained file."""
    render.write(path, request_html(detail))


def _causes(seen: Boundary) -> list[str]:
    """Give the causes that occur, in the palette's order."""
    found = {share.cause for shares in seen.report.total.shares.values() for share in shares}
    return [cause for cause in CAUSE_HEX if cause in found]
