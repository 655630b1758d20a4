"""What a run of the analysis says beside its own requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run says beside its own requests."""

    caused: pl.DataFrame
    """Linked work (`schema.tables.ASYNC_WORK`, store-wide `request_no`) that takes the place of these requests'."""
    settled: pl.DataFrame
    """Windows (`start_ns`, `end_ns`) that are analysed with all that is known."""
    unsettled: pl.DataFrame
    """Those that are no longer."""
    reopened: pl.DataFrame
    """When stored traces begin (`start_ns`) that are to be analysed again: their windows, and those beside, are not
    settled any longer, whatever becomes of the process."""
