"""Databases, caches and brokers: one name per system, and what a statement does to what.

The first word of a statement is its operation and the table after FROM, INTO, UPDATE, TABLE or JOIN its collection,
where the emitter does not say so itself. Literals are never copied out of a statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from collector.normalise.texts import Slices, readonly
from seamscope.kernel import kernel

if TYPE_CHECKING:
    from collector.normalise.texts import I32, U8

SYSTEMS: Final = {
    "postgres": "postgresql",
    "pg": "postgresql",
    "mssql": "microsoft.sql_server",
    "sqlserver": "microsoft.sql_server",
    "oracle": "oracle.db",
    "db2": "ibm.db2",
    "informix": "ibm.informix",
    "cosmosdb": "azure.cosmosdb",
    "dynamodb": "aws.dynamodb",
    "redshift": "aws.redshift",
    "spanner": "gcp.spanner",
    "firebird": "firebirdsql",
    "adabas": "softwareag.adabas",
    "hanadb": "sap.hana",
    "maxdb": "sap.maxdb",
    "intersystems_cache": "intersystems.cache",
    "cloudflare kv": "cloudflare-kv",
    "cloudflare d1": "cloudflare-d1",
    "cloudflare do": "cloudflare-durable-objects",
}
"""What systems were called before (`db.system`) → what they are called now (`db.system.name`)."""

WITHOUT_SQL: Final = frozenset(
    {
        "redis",
        "valkey",
        "memcached",
        "mongodb",
        "elasticsearch",
        "opensearch",
        "aws.dynamodb",
        "couchdb",
        "couchbase",
        "hbase",
        "neo4j",
        "geode",
        "cloudflare-kv",
        "cloudflare-r2",
        "cloudflare-cache",
    }
)
"""Systems whose statements are commands or documents: a word after FROM would not be a table."""


_FROM, _INTO, _UPDATE, _TABLE, _JOIN, _ONLY, _IF, _NOT, _EXISTS, _LATERAL = (
    np.frombuffer(word, np.uint8)
    for word in (b"FROM", b"INTO", b"UPDATE", b"TABLE", b"JOIN", b"ONLY", b"IF", b"NOT", b"EXISTS", b"LATERAL")
)


def system(name: str) -> str:
    """Return the current name of a database system."""
    folded = name.strip().lower()
    return SYSTEMS.get(folded, folded)


@kernel
def _is_word(byte: int) -> bool:
    """Tell whether a byte belongs to a name: letters, digits, _, $, and anything beyond ASCII."""
    is_sign = byte == 95 or byte == 36  # noqa: PLR1714 - a search in a tuple takes long to compile
    return is_sign or 48 <= byte <= 57 or 97 <= (byte | 32) <= 122 or byte >= 128


@kernel
def _after_comment(data: U8, at: int, end: int) -> int:
    """Return the byte after the comment that opens at `at`, or `at` where none does."""
    if at + 1 < end and data[at] == 45 and data[at + 1] == 45:
        while at < end and data[at] != 10:
            at += 1
    elif at + 1 < end and data[at] == 47 and data[at + 1] == 42:
        at += 2
        while at + 1 < end and not (data[at] == 42 and data[at + 1] == 47):
            at += 1
        at = min(at + 2, end)
    return at


@kernel
def _after_noise(data: U8, at: int, end: int) -> int:
    """Return the first byte that is no blank, comment or opening bracket."""
    while at < end:
        rest = _after_comment(data, at, end)
        if rest == at and (data[at] <= 32 or data[at] == 40 or data[at] == 59):
            rest += 1
        if rest == at:
            return at
        at = rest
    return end


@kernel
def _after_quote(data: U8, at: int, end: int) -> int:
    """Return the byte after the quoted text that opens at `at`."""
    mark = data[at]
    at += 1
    while at < end and data[at] != mark:
        at += 1
    return at + 1


@kernel
def _same(data: U8, at: int, end: int, word: U8) -> bool:
    """Tell whether data[at:end] is `word` (given in upper case), in any case."""
    if end - at != len(word):
        return False
    different = 0
    for i in range(len(word)):
        different |= (data[at + i] & 0xDF) ^ word[i]
    return different == 0


@kernel
def _names_table(data: U8, at: int, end: int) -> bool:
    """Tell whether a word is one that a table's name follows."""
    return (
        _same(data, at, end, _FROM)
        or _same(data, at, end, _INTO)
        or _same(data, at, end, _UPDATE)
        or _same(data, at, end, _TABLE)
        or _same(data, at, end, _JOIN)
    )


@kernel
def _skips(data: U8, at: int, end: int) -> bool:
    """Tell whether a word may stand between such a word and the table: ONLY, IF, NOT, EXISTS, LATERAL."""
    return (
        _same(data, at, end, _ONLY)
        or _same(data, at, end, _IF)
        or _same(data, at, end, _NOT)
        or _same(data, at, end, _EXISTS)
        or _same(data, at, end, _LATERAL)
    )


@kernel
def _identifier(data: U8, at: int, end: int) -> tuple[int, int]:
    """Measure the table's name at `at`, without schema and quotes: (first byte, byte after it)."""
    first = at
    while at < end:
        quoted = data[at] in (34, 91, 96)
        close = 93 if data[at] == 91 else data[at]
        at += 1 if quoted else 0
        first = at
        while at < end and (data[at] != close if quoted else _is_word(data[at])):
            at += 1
        last = at
        at += 1 if quoted else 0
        if not (at + 1 < end and data[at] == 46 and last > first):
            return first, last
        at += 1
    return first, end


@kernel
def _word_end(data: U8, at: int, end: int) -> int:
    while at < end and _is_word(data[at]):
        at += 1
    return at


@kernel
def _table_after(data: U8, at: int, end: int) -> tuple[int, int]:
    """Measure the table's name that follows a word such as FROM; equal ends where a bracket does."""
    while at < end:
        while at < end and data[at] <= 32:
            at += 1
        stop = _word_end(data, at, end)
        if not _skips(data, at, stop):
            break
        at = stop
    if at >= end or data[at] == 40:
        return end, end
    return _identifier(data, at, end)


@kernel
def _table(data: U8, at: int, end: int) -> tuple[int, int]:
    """Find the first table that a statement names outside brackets: (first byte, byte after it), equal for none."""
    depth = 0
    while at < end:
        byte = data[at]
        if byte in (34, 39, 96):
            at = _after_quote(data, at, end)
        elif _is_word(byte):
            stop = _word_end(data, at, end)
            if depth == 0 and _names_table(data, at, stop):
                first, after = _table_after(data, stop, end)
                if after > first:
                    return first, after
            at = stop
        else:
            depth += 1 if byte == 40 else -1 if byte == 41 else 0
            at = max(at + 1, _after_comment(data, at, end))
    return end, end


@kernel
def _scan(data: U8, start: I32, length: I32) -> tuple[I32, I32, I32, I32]:
    first = start.astype(np.int64)
    word_start = start.copy()
    word_length = np.full(len(start), -1, np.int32)
    table_start = start.copy()
    table_length = np.full(len(start), -1, np.int32)
    for i in range(len(start)):
        if length[i] <= 0:
            continue
        end = first[i] + length[i]
        at = _after_noise(data, first[i], end)
        stop = at
        while stop < end and _is_word(data[stop]) and stop - at < 32:
            stop += 1
        if stop > at:
            word_start[i] = at
            word_length[i] = stop - at
        name, after = _table(data, at, end)
        if after > name:
            table_start[i] = name
            table_length[i] = min(after - name, 128)
    return word_start, word_length, table_start, table_length


def scan(statements: Slices) -> tuple[Slices, Slices]:
    """Return each statement's first word and the first table it names, both absent where there is none."""
    word_start, word_length, table_start, table_length = _scan(statements.data, statements.start, statements.length)
    words = Slices(statements.data, readonly(word_start), readonly(word_length))
    return words, Slices(statements.data, readonly(table_start), readonly(table_length))
