"""The writer of findings: those of the last look take the place of all before, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seamscope.store.inserting import transaction

if TYPE_CHECKING:
    import duckdb
    import polars as pl


def replace_findings(cursor: duckdb.DuckDBPyConnection, findings: pl.DataFrame, requests: pl.DataFrame) -> None:
    """Store findings (`schema.tables.FINDINGS`) and their requests (`FINDING_REQUESTS`) instead of the stored ones.

    Requests that were revised since they were looked at are left out: their numbers are gone.
    """
    cursor.register("new_findings", findings.to_arrow())
    cursor.register("new_finding_requests", requests.to_arrow())
    try:
        with transaction(cursor):
            cursor.execute("DELETE FROM base.findings").complete()
            cursor.execute("DELETE FROM base.finding_requests").complete()
            cursor.execute("INSERT INTO base.findings BY NAME SELECT * FROM new_findings").complete()
            cursor.execute(
                "INSERT INTO base.finding_requests BY NAME SELECT * FROM new_finding_requests"
                " WHERE request_no IN (SELECT request_no FROM base.requests)"
            ).complete()
    finally:
        cursor.unregister("new_findings")
        cursor.unregister("new_finding_requests")
