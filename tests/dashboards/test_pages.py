"""Pages: the same bytes each time, nothing asked of anyone, names harmless, numbers those of the results."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import threading
from html.parser import HTMLParser
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from dashboards import figures
from dashboards.addresses import Addresses, slug
from dashboards.detail_pages import route_page, seam_page
from dashboards.index_page import index_page
from dashboards.render import POLICY, embedded, write
from dashboards.request_page import request_page
from dashboards.serve import LOOPBACK, server
from dashboards.tables import Cell, Table, columns
from dashboards.write import request_html, write_dashboards, write_request
from seamscope.errors import SeamscopeError
from seamscope.text.figures import duration, percent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seamscope.results import Boundary


SINGLE = r"default-src 'none'; style-src 'sha256-[^']+'; img-src data:"


class Reader(HTMLParser):
    """Gathers what a page links to and what it would run."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.handlers: list[str] = []
        self.policy = ""
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.handlers += [name for name in found if name.startswith("on")]
        if tag == "script":
            self.scripts.append(found)
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""
        self.links += [value for name in ("href", "src") if (value := found.get(name))]


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


def every_page(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.html"))


def test_same_boundary_same_bytes(seen: Boundary, pages: Path, tmp_path: Path) -> None:
    write_dashboards(seen, tmp_path)
    first, second = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in (pages, tmp_path))
    assert first == second


def test_folder_has_plotly_once_and_every_kind_of_page(pages: Path) -> None:
    assert len(list(pages.rglob("plotly*.js"))) == 1
    assert {page.parent.name for page in every_page(pages)} == {pages.name, "route", "seam", "request"}


def test_policy_is_the_contract_s(pages: Path) -> None:
    assert POLICY == "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:"
    for page in every_page(pages):
        policy = read(page).policy
        single = page.parent.name == "request"
        assert policy == POLICY or (
            single and re.fullmatch(r"default-src 'none'; style-src 'sha256-[^']+'; img-src data:", policy)
        )


def test_pages_run_only_files_and_ask_nothing_of_others(pages: Path) -> None:
    for page in every_page(pages):
        found = read(page)
        assert not found.handlers
        assert all(script.get("src") or script.get("type") == "application/json" for script in found.scripts)
        for link in found.links:
            assert link.startswith(("data:text/csv", "#")) or not re.match(r"[a-z]+:|//", link)


def test_every_link_leads_somewhere(pages: Path) -> None:
    for page in every_page(pages):
        text = page.read_text(encoding="utf-8")
        for link in read(page).links:
            path, _, anchor = link.partition("#")
            if path and not path.startswith("data:"):
                assert (page.parent / path).is_file(), f"{page.name}: {link}"
            if anchor and not path:
                assert f'id="{anchor}"' in text


def test_hostile_names_are_words(pages: Path) -> None:
    hostile = [page for page in every_page(pages) if "owned" in page.read_text(encoding="utf-8")]
    assert len(hostile) >= 3
    for page in hostile:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_embedded_json_cannot_end_its_element() -> None:
    document = {"</script><script>alert(1)//": ["<!--", "]]>", "\u2028", "&amp;"]}
    text = str(embedded(document))
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == document


def test_single_pages_need_no_other_file(seen: Boundary) -> None:
    text = request_html(seen.details[0])
    reader = Reader()
    reader.feed(text)
    assert "script" not in reader.tags
    assert all(link.startswith(("#", "data:")) for link in reader.links)


def test_csv_has_the_table_s_rows_in_bare_units() -> None:
    table = Table(
        "x", columns("name", ">time|time_ns"), ((Cell("=1"), Cell("1.00 ms", 1_000_000)), (Cell('a,"b'), Cell("–", "")))
    )
    text = unquote(table.csv_link.partition(",")[2])
    assert list(csv.reader(io.StringIO(text))) == [["name", "time_ns"], ["'=1", "1000000"], ['a,"b', ""]]


def tables(found: object) -> Iterator[Table]:
    """Every table of a page."""
    if isinstance(found, Table):
        yield found
    elif isinstance(found, tuple):
        for one in found:
            yield from tables(one)
    elif dataclasses.is_dataclass(found):
        for part in dataclasses.fields(found):
            yield from tables(getattr(found, part.name))


def shown(title: str, value: str | float | None) -> str:
    """What a page shows for a value of CSV."""
    if title.endswith("_ns"):
        return duration(int(value or 0))
    return percent(round(float(value or 0) * 1_000_000), 1_000_000)


def test_csv_says_what_the_page_says_with_its_unit(seen: Boundary) -> None:
    requests = frozenset(detail.row.request_id for detail in seen.details)
    where = Addresses(requests, frozenset(g.key for g in seen.report.groups), frozenset(s.seam for s in seen.seams))
    pages = (
        index_page(seen, where),
        *(route_page(seen, group, where) for group in seen.report.groups),
        *(seam_page(seen, row, where) for row in seen.seams),
        *(request_page(detail) for detail in seen.details),
    )
    units = set()
    for table in tables(pages):
        for row in table.rows:
            for column, cell in zip(table.columns, row, strict=True):
                if not re.fullmatch(r"(-?[\d.]+ (ns|µs|ms|s)|[<>]?\d+ %)", cell.text) or table.name == "metrics":
                    continue  # a metric's name has its unit
                assert column.bare.endswith(("_ns", "_ratio")), (table.name, column)
                assert shown(column.bare, cell.value) == cell.text, (table.name, column)
                units.add((table.name.rpartition("-")[2], column.bare))
    assert {("mean", "mean_ns"), ("phases", "mean_per_hop_ns"), ("seams", "explained_ratio")} <= units


def test_clocks_of_which_nothing_is_known_are_not_said_to_agree(seen: Boundary) -> None:
    where = Addresses(frozenset(), frozenset(), frozenset())
    rows = {row.seam: seam_page(seen, row, where).facts for row in seen.seams}
    said = {
        seam: next(fact.text for fact in facts if fact.name == "clocks agree within") for seam, facts in rows.items()
    }
    assert said["render:web→origin:orders"] == "not known"
    assert said["render:web→origin:auth"] == "-1.50 ms to +4.50 ms"


def test_a_pipe_gets_the_text_and_stays(tmp_path: Path) -> None:
    place = tmp_path / "pipe"
    os.mkfifo(place)
    reading = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(place, "a page\n")
        assert os.read(reading, 100) == b"a page\n"
    finally:
        os.close(reading)
    assert list(tmp_path.iterdir()) == [place]
    assert place.is_fifo()


def test_a_link_is_followed(tmp_path: Path) -> None:
    for name in ("there", "absent"):
        link, target = tmp_path / f"{name}.html", tmp_path / "elsewhere" / name
        target.parent.mkdir(exist_ok=True)
        link.symlink_to(target)
        (target.parent / "there").write_text("before")
        write(link, "a page\n")
        assert link.is_symlink()
        assert target.read_text() == "a page\n"


def test_where_nothing_can_be_written_it_says_so(seen: Boundary, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file" / "one.html", tmp_path / "file" / "folder" / "one.html"):
        with pytest.raises(SeamscopeError, match=r"one\.html: a file is where a folder is wanted"):
            write_request(seen.details[0], place)
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(SeamscopeError, match="a file is where a folder is wanted"):
            write_dashboards(seen, folder)
    with pytest.raises(SeamscopeError, match="Is a directory"):
        write_request(seen.details[0], tmp_path)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("localhost:80", 200), ("evil.example", 403)])
def test_only_names_of_this_machine_are_served(pages: Path, method: str, host: str, status: int) -> None:
    with server(pages, 0) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        asking = HTTPConnection(LOOPBACK, served.server_address[1], timeout=30)
        asking.request(method, "/index.html", headers={"Host": host})
        assert asking.getresponse().status == status
        asking.close()
        served.shutdown()


def test_slugs_tell_look_alikes_apart() -> None:
    names = ["GET /a", "GET-/a", "get /a", "", "→", "../../etc/passwd", "con", "a" * 500]
    assert len({slug(name) for name in names}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,60}", slug(name)) for name in names)


@pytest.mark.parametrize("horizon", ["shell", "complete"])
def test_bars_sum_to_the_mean(seen: Boundary, horizon: str) -> None:
    figure = figures.made_of(seen.report.groups, horizon, lambda key: key)
    assert figure is not None
    drawn = [group for group in seen.report.groups if group.requests_in[horizon]]
    for place, group in enumerate(drawn):
        ends = sum(x for trace in figure["data"] for y, x in zip(trace["y"], trace["x"], strict=True) if y == place)
        mean = group.shell.mean_ns if horizon == "shell" else group.complete.mean_ns
        assert mean is not None
        assert ends * 1_000_000 == pytest.approx(mean, abs=1)


def test_plotly_knows_every_property(seen: Boundary) -> None:
    from plotly import graph_objects

    drawn = [figures.made_of(seen.report.groups, "shell", str), figures.percentile_spans(seen.report.groups, str)]
    for figure in [*drawn, figures.seam_phases(seen.seams, str)]:
        assert figure is not None
        graph_objects.Figure(figure)  # raises on a property it does not know


def test_what_nobody_knows_is_hatched_and_last(seen: Boundary) -> None:
    figure = figures.made_of(seen.report.groups, "shell", str)
    assert figure is not None
    last = figure["data"][-1]
    assert last["name"].startswith("unexplained")
    assert last["marker"]["pattern"]["shape"] == "/"


def test_nothing_to_draw() -> None:
    assert figures.made_of((), "shell", str) is None
    assert figures.percentile_spans((), str) is None
    assert figures.seam_phases((), str) is None
