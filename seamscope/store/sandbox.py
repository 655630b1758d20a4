"""Which statements do nothing but read. That DuckDB calls one a SELECT or an EXPLAIN does not say so.

A read-only transaction and `enable_external_access = false` leave three ways to harm a store, for its own file and log
are open to DuckDB: EXPLAIN ANALYZE runs what it explains, COPY TO and SET among them; a common table expression may be
a COPY TO; and there are table functions that do things, or read a file into memory as a whole. DuckDB's tokens tell of
all three: what is quoted as text, or said in a comment, is harmless.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import duckdb

from seamscope.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

READING: Final = frozenset({
    "generate_series", "histogram", "histogram_values", "icu_calendar_names", "json_each", "json_tree",
    "pg_timezone_names", "pragma_collations", "pragma_database_size", "pragma_metadata_info", "pragma_platform",
    "pragma_show", "pragma_storage_info", "pragma_table_info", "pragma_user_agent", "pragma_version", "range",
    "repeat", "repeat_row", "summary", "test_all_types", "test_vector_types", "unnest",
})  # fmt: skip
"""Table functions that may be asked, beside those that tell about DuckDB itself (`duckdb_…`)."""

DEEDS: Final = frozenset({
    "arrow_scan", "arrow_scan_dumb", "checkpoint", "create_external_resource", "deregister_external_resource",
    "destroy_external_resource", "disable_logging", "disable_profiling", "enable_logging", "enable_profiling",
    "force_checkpoint", "glob", "json_execute_serialized_sql", "pandas_scan", "parquet_bloom_probe",
    "parquet_file_metadata", "parquet_full_metadata", "parquet_kv_metadata", "parquet_metadata", "parquet_scan",
    "parquet_schema", "python_arrow_scan", "python_map_function", "query", "query_table", "read_blob", "read_csv",
    "read_csv_auto", "read_duckdb", "read_json", "read_json_auto", "read_json_objects", "read_json_objects_auto",
    "read_ndjson", "read_ndjson_auto", "read_ndjson_objects", "read_parquet", "read_single_csv_file",
    "read_single_json_file", "read_single_parquet_file", "read_text", "register_external_resource",
    "register_external_resource_type", "seq_scan", "sniff_csv", "truncate_duckdb_logs", "which_secret", "nextval",
    "setval", "write_log",
})  # fmt: skip
"""Functions that may not: they change something, read files, or run a text as a statement, which may hold anything."""

_SPACE: Final = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_HOW: Final = rf"(?:ANALYZE\b|\({_SPACE}(?:ANALYZE|FORMAT)\b[^()]*\))?"
_EXPLAIN: Final = re.compile(rf"{_SPACE}EXPLAIN\b{_SPACE}{_HOW}(?P<explained>.*)", re.IGNORECASE | re.DOTALL)
_SEEN: Final = re.compile(r"[!-~\w]")
_QUOTED: Final = re.compile(r'"[^"]*"')
_WORD: Final = re.compile(r"\w+")
ONLY_SELECT: Final = "only SELECT is allowed; the store is read-only here"


@lru_cache(maxsize=512)
def refuse_deeds(sql: str) -> None:
    """Raise `QueryError` where a statement that DuckDB calls a reading one holds anything else."""
    for token, follows in pairwise([*_tokens(sql), ""]):
        words = _WORD.findall(token.lower())
        if "copy" in words and "copy" in _WORD.findall(_QUOTED.sub("", token.lower())):
            raise QueryError(
                "COPY is not a reading statement", f'{ONLY_SELECT}; a column of that name is "copy" in quotes'
            )
        if follows.startswith("(") and (deeds := DEEDS.intersection(words)):
            raise QueryError(f"{min(deeds)}() is not allowed", ONLY_SELECT)


def explained(sql: str) -> str:
    """Give what an EXPLAIN explains."""
    found = _EXPLAIN.fullmatch(sql)
    return found["explained"] if found else ""


def _tokens(sql: str) -> Iterator[str]:
    """Give what is neither text nor comment; what only Unicode's spaces are in, DuckDB's parser passes over."""
    said = sql.encode()
    starts = duckdb.tokenize(sql)
    ends = [start for start, _ in starts[1:]] + [len(said)]
    for (start, kind), end in zip(starts, ends, strict=True):
        text = said[start:end].decode(errors="replace").strip()
        if kind is duckdb.token_type.string_const:
            yield "''"
        elif kind is not duckdb.token_type.comment and _SEEN.search(text):
            yield text
