"""Columns of calls to databases and caches, and of remote procedure calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from collector.normalise import database
from collector.normalise.choices import each_distinct, either, joined, mask_of, only
from collector.normalise.roles import SYSTEMS
from collector.normalise.texts import UPPER
from seamscope.schema import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from collector.normalise.batch import Batch, Columns

GRPC_CODES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)

_DIGITS: Final = len(str(len(GRPC_CODES) - 1))
"""More are no status of gRPC's, and Python makes no number of very many."""

_IMPLIED: Final = pa.array([name or None for name in SYSTEMS], pa.string())
_WITHOUT_SQL: Final = pa.array(sorted(database.WITHOUT_SQL), pa.string())
_QUERY: Final = words.code(words.ROLES, "query")


def rpc_status(status: str) -> str:
    """Return a status by name: '14' and 'unavailable' are UNAVAILABLE."""
    if len(status) <= _DIGITS and status.isdecimal() and int(status) < len(GRPC_CODES):
        return GRPC_CODES[int(status)]
    return status.upper()


def implied(codes: NDArray[np.uint8]) -> pa.StringArray | None:
    """Return the system that each span's kind implies, from positions in `roles.SYSTEMS`; None where none does."""
    if not codes.any():
        return None
    return _IMPLIED.take(pa.array(codes))


def _operation(word: str) -> str:
    """Return an operation's word: 'select app' and 'SELECT' are SELECT; driver methods keep their case."""
    first = word.split(maxsplit=1)[0] if word.split() else word
    return first if "." in first or ":" in first else first.upper()


def _stated_operation(batch: Batch) -> pa.StringArray | None:
    if "db_operation" not in batch.own:
        return None
    return each_distinct(batch.own.slices("db_operation").array(), _operation)


def _is_sql(systems: pa.StringArray | None) -> pa.BooleanArray | None:
    """Return which rows may hold SQL, None for all of them."""
    if systems is None:
        return None
    return pc.invert(pc.is_in(systems, value_set=_WITHOUT_SQL))


def database_columns(batch: Batch) -> tuple[Columns, pa.StringArray | None]:
    """Return the columns about databases, and what each statement does ('SELECT orders', null without)."""
    own = batch.own
    stated = each_distinct(own.slices("db_system").array(), database.system) if "db_system" in own else None
    system = either(stated, implied(batch.verdicts.store_system))
    operation, collection = _stated_operation(batch), None
    if "db_collection" in own:
        collection = own.slices("db_collection").array()
    if "db_statement" in own:
        operation, collection = _from_statements(batch, system, operation, collection)
    found = {
        "db_system": system,
        "db_namespace": own.slices("db_namespace").array() if "db_namespace" in own else None,
        "db_operation": operation,
        "db_collection": collection,
        "db_statement": own.slices("db_statement").array() if "db_statement" in own else None,
    }
    present = {name: column for name, column in found.items() if column is not None}
    return present, _done(batch, operation, collection)


def _from_statements(
    batch: Batch, system: pa.StringArray | None, operation: pa.StringArray | None, collection: pa.StringArray | None
) -> tuple[pa.StringArray | None, pa.StringArray | None]:
    """Fill in what the statements themselves say; their first word wins over a driver's method name."""
    word, table = database.scan(batch.own.slices("db_statement"))
    is_sql = _is_sql(system)
    tables = table.array()
    if is_sql is not None:
        tables = only(is_sql, tables)
    words_ = word.array(UPPER)
    if operation is None:
        return words_, either(collection, tables)
    is_method = mask_of(pc.match_substring(operation, "."))
    return either(only(~is_method, operation), words_, operation), either(collection, tables)


def _done(batch: Batch, operation: pa.StringArray | None, collection: pa.StringArray | None) -> pa.StringArray | None:
    if operation is None:
        return None
    asked = operation
    if collection is not None:
        asked = pc.coalesce(joined(operation, collection), operation)
    return only(batch.verdicts.role == _QUERY, asked)


def rpc_columns(batch: Batch) -> Columns:
    """Return the columns about remote procedure calls."""
    own = batch.own
    found: Columns = {}
    if "rpc_system" in own:
        found["rpc_system"] = own.slices("rpc_system").array()
    method = _rpc_method(batch)
    if method is not None:
        found["rpc_method"] = method
    if "rpc_status" in own:
        found["rpc_status"] = each_distinct(own.slices("rpc_status").array(), rpc_status)
    return found


def _rpc_method(batch: Batch) -> pa.StringArray | None:
    """Return 'pkg.Service/Method', sent whole or in two."""
    own = batch.own
    method = own.slices("rpc_method").array() if "rpc_method" in own else None
    if method is not None and "rpc_service" in own:
        whole = pc.match_substring(method, "/")
        method = pc.if_else(whole, method, either(joined(own.slices("rpc_service").array(), method, "/"), method))
    path = own.slices("rpc_path").array() if "rpc_path" in own else None
    found = either(method, path)
    return None if found is None else pc.utf8_ltrim(found, "/")
