"""Which statements do nothing but read. That DuckDB calls one a SELECT or an EXPLAIN does not say so.

A read-only transaction and `enable_external_access = false` leave three ways to harm a store, for its own file and log
are open to DuckDB: EXPLAIN ANALYZE runs what it explains, COPY TO and SET among them; a common table expression may be
a COPY TO; and there are functions that do things, read files, or end the process. DuckDB's tokens tell of all three:
what is quoted as text, or said in a comment, is harmless.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Final

import duckdb

from seamscope.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

READING: Final = frozenset({
    "generate_series", "glob", "histogram", "histogram_values", "icu_calendar_names", "json_each", "json_tree",
    "pg_timezone_names", "pragma_collations", "pragma_database_size", "pragma_metadata_info", "pragma_platform",
    "pragma_show", "pragma_storage_info", "pragma_table_info", "pragma_user_agent", "pragma_version", "range",
    "repeat", "repeat_row", "summary", "test_all_types", "test_vector_types", "unnest",
})  # fmt: skip
"""Table functions that may be asked, beside those that tell about DuckDB itself (`duckdb_…`)."""

DEEDS: Final = frozenset({
    "arrow_scan", "arrow_scan_dumb", "checkpoint", "create_external_resource", "deregister_external_resource",
    "destroy_external_resource", "disable_logging", "disable_profiling", "enable_logging", "enable_profiling",
    "force_checkpoint", "json_execute_serialized_sql", "pandas_scan", "parquet_bloom_probe",
    "parquet_file_metadata", "parquet_full_metadata", "parquet_kv_metadata", "parquet_metadata", "parquet_scan",
    "parquet_schema", "python_arrow_scan", "python_map_function", "query", "query_table", "read_blob", "read_csv",
    "read_csv_auto", "read_duckdb", "read_json", "read_json_auto", "read_json_objects", "read_json_objects_auto",
    "read_ndjson", "read_ndjson_auto", "read_ndjson_objects", "read_parquet", "read_single_csv_file",
    "read_single_json_file", "read_single_parquet_file", "read_text", "register_external_resource",
    "register_external_resource_type", "seq_scan", "sniff_csv", "truncate_duckdb_logs", "which_secret", "nextval",
    "setval", "write_log", "json_serialize_plan", "json_serialize_sql", "json_deserialize_sql", "from_json",
    "from_json_strict", "json_transform", "json_transform_strict", "json_contains", "sleep_ms", "pg_sleep",
    "levenshtein", "editdist3", "damerau_levenshtein",
})  # fmt: skip
"""Functions that may not: they change something, read files (which lets go of the lock on the store's own), take a text
as a statement, which may hold anything, overflow the stack with deeply nested JSON, or hear no time limit."""

WORDS: Final = frozenset({"copy", "variant"})
"""Words that may not stand outside texts: a statement that writes files, a type that deeply nested JSON crashes."""

MOST_CHARS: Final = 1 << 16
MOST_PARENTHESES: Final = 1_000
"""DuckDB's parser takes quadratic time and memory for those that follow each other, and lets no thread of Python's run
meanwhile: 0.06 s for 300, 0.6 s and 150 MB for 1,000, 2.8 s for 2,000."""

KEPT_CHARS: Final = 16_384
"""Longer statements are judged each time: what was asked once must not stay in memory for ever."""

_SEEN: Final = re.compile(r"[!-~\w]")
_WORD: Final = re.compile(r"\w+")
ONLY_SELECT: Final = "only SELECT is allowed; the store is read-only here"


def refuse_heavy(sql: str) -> None:
    """Raise `QueryError` where it would take too long to find out what a statement is."""
    if len(sql) > MOST_CHARS:
        raise QueryError(f"the statement has more than {MOST_CHARS:,} characters", "give long lists as parameters")
    if sql.count("(") > MOST_PARENTHESES:
        raise QueryError(f"the statement has more than {MOST_PARENTHESES:,} parentheses", "give lists as parameters")


def refuse_deeds(sql: str) -> None:
    """Raise `QueryError` where a statement that DuckDB calls a reading one holds anything else.

    `sql` is what DuckDB has parsed (`duckdb.Statement.query`): what was sent, with Unicode's spaces in it, is cut into
    other tokens than the parser sees.
    """
    if why := (_deed(sql) if len(sql) <= KEPT_CHARS else _deed.__wrapped__(sql)):
        raise QueryError(*why)


@lru_cache(maxsize=256)
def _deed(sql: str) -> tuple[str, str] | None:
    """Give why a statement is refused, and what would do."""
    for (_, token), (_, follows) in pairwise(chain(_tokens(sql), [(0, "")])):
        words = _WORD.findall(token.lower())
        if said := WORDS.intersection(words):
            return f"the word {min(said)} is not allowed outside of a text", ONLY_SELECT
        if follows.startswith("(") and (deeds := DEEDS.intersection(words)):
            return f"{min(deeds)}() is not allowed", ONLY_SELECT
    return None


def explained(sql: str) -> str:
    """Give what an EXPLAIN (as DuckDB has parsed it) explains: what follows it, ANALYZE and options in parentheses."""
    tokens = list(_tokens(sql))
    said = [token.lower() for _, token in tokens]
    at = 2 if said[1:2] == ["analyze"] else 1
    if said[1:2] == ["("] and said[2:3] in (["analyze"], ["format"], ['"analyze"'], ['"format"']):
        depth = accumulate((mark == "(") - (mark == ")") for mark in said[1:])
        at = next((end for end, open_ in enumerate(depth, start=2) if open_ == 0), len(tokens))
    return sql.encode()[tokens[at][0] :].decode() if at < len(tokens) else ""


def _tokens(sql: str) -> Iterator[tuple[int, str]]:
    """Give what is neither text nor comment, and at which byte it begins; `''` stands for a text."""
    said = sql.encode()
    starts = duckdb.tokenize(sql)
    ends = [start for start, _ in starts[1:]] + [len(said)]
    for (start, kind), end in zip(starts, ends, strict=True):
        text = said[start:end].decode(errors="replace").strip()
        if kind is duckdb.token_type.string_const:
            yield start, "''"
        elif kind is not duckdb.token_type.comment and _SEEN.search(text):
            yield start, text
