"""Tables of the pages: what a person reads, and the same cells as CSV to take away."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from seamscope.text.figures import duration, percent
from seamscope.text.report_lists import harmless
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its words, its bare value for CSV, and where it leads."""

    text: str
    value: str | int | float | None = None
    href: str | None = None
    swatch: str | None = None
    """Class of a colour shown before the words."""
    share: float | None = None
    """Drawn as a bar behind the words, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's titles, on the page and in CSV; numbers are set to the right."""

    title: str
    bare: str
    """With the unit of the bare values (`_ns`, `_ratio`)."""
    number: bool = False
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a name that its CSV file gets."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def csv(self) -> str:
        """The cells as CSV (RFC 4180), values in bare units."""
        return csv_text([column.bare for column in self.columns], [[_bare(cell) for cell in row] for row in self.rows])

    @property
    def csv_link(self) -> str:
        """The CSV as a `data:` address."""
        return f"data:text/csv;charset=utf-8,{quote(self.csv, safe='')}"


def _bare(cell: Cell) -> str | int | float:
    return cell.text if cell.value is None else cell.value


def csv_text(titles: Sequence[str], rows: Sequence[Sequence[str | int | float]]) -> str:
    """Write CSV; a text that a spreadsheet would run as a formula gets a quote mark in front."""
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow(titles)
    writer.writerows([[harmless(value) if isinstance(value, str) else value for value in row] for row in rows])
    return sheet.getvalue()


def words(text: str | None, href: str | None = None, swatch: str | None = None) -> Cell:
    """Give a cell of words that came from the network."""
    return Cell(safe(text or ""), href=href, swatch=swatch)


def timed(ns: int | None, href: str | None = None) -> Cell:
    """Give a cell of a duration; unknown stays empty in CSV."""
    return Cell(duration(ns), "" if ns is None else ns, href)


def columns(*titles: str) -> tuple[Column, ...]:
    """Give columns; a title that starts with `>` is of numbers, with `~` of words that may take several lines.

    What stands behind a `|` is its title in CSV: `>mean|mean_ns`.
    """
    return tuple(_column(title) for title in titles)


def _column(given: str) -> Column:
    title, _, bare = given.lstrip(">~").partition("|")
    return Column(title, bare or title, given.startswith(">"), given.startswith("~"))


def ratio(part: int | None, whole: int | None, *, drawn: bool = False) -> Cell:
    """Give a cell of a share, in percents for people and as a ratio in CSV; `drawn` as a bar too."""
    known = part / whole if whole and part is not None else None
    return Cell(percent(part, whole), "" if known is None else round(known, 6), share=known if drawn else None)
