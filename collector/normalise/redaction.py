"""Secrets in attributes: the values of keys that hold some are struck out at the door, and stored nowhere.

They come where somebody has headers captured (`http.request.header.authorization`) or logs requests as they are. Which
keys hold some, `seamscope.config.Rules.redact` says; what is inside of maps, texts and addresses is not looked at.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.decoding.flat import ATTRIBUTE_TABLES, REDACTED
from collector.normalise.choices import scalar

if TYPE_CHECKING:
    from collector.decoding.flat import AttributeColumns, FlatTraces
    from collector.normalise.texts import Mask
    from seamscope.config import Rules

    Patterns = tuple[tuple[str, bool], ...]

STRUCK_OUT: Final = "[redacted]"
"""What is stored in the place of a secret."""

_WILD: Final = {"*": ".*", "?": "."}
_BETWEEN: Final = "[-_]"


def secret_keys(keys: pa.StringArray, patterns: Patterns) -> Mask:
    """Return which keys hold secrets: the first pattern that fits says so; case does not matter, nor `_` and `-`."""
    plain = pc.replace_substring_regex(pc.utf8_lower(keys), _BETWEEN, "")
    secret = np.zeros(len(keys), np.bool_)
    for regex, is_secret in reversed(_steps(patterns)):
        secret[pc.match_substring_regex(plain, regex).to_numpy(zero_copy_only=False)] = is_secret
    return secret


@lru_cache(maxsize=8)
def _steps(patterns: Patterns) -> tuple[tuple[str, bool], ...]:
    """Return neighbours that say the same as one regular expression (RE2), which takes no longer for hostile keys."""
    alike = groupby(patterns, key=itemgetter(1))
    return tuple((f"(?s)^(?:{'|'.join(_regex(pattern) for pattern, _ in some)})$", said) for said, some in alike)


def _regex(pattern: str) -> str:
    plain = re.sub(_BETWEEN, "", pattern.lower())
    return "".join(_WILD.get(letter, f"\\x{{{ord(letter):x}}}") for letter in plain)


def redacted(table: AttributeColumns, secret: Mask) -> AttributeColumns:
    """Return attributes without the values of `secret` keys: they say nothing, and are `shown` as struck out."""
    rows = secret[table.key]
    if not rows.any():
        return table
    kinds = np.where(rows, np.uint8(REDACTED), table.type)
    return replace(
        table,
        type=kinds,
        number=np.where(rows, 0, table.number),
        text=pc.if_else(pa.array(rows), scalar(""), table.text),
    )


def redacted_traces(flat: FlatTraces, rules: Rules) -> FlatTraces:
    """Return a batch without the secrets in its attributes."""
    secret = secret_keys(flat.keys, rules.redact)
    if not secret.any():
        return flat
    tables: dict[str, Any] = {name: redacted(getattr(flat, name), secret) for name in ATTRIBUTE_TABLES}
    return replace(flat, **tables)


def shown(table: AttributeColumns) -> pa.StringArray:
    """Return the values as they are stored: `STRUCK_OUT` in the place of secrets."""
    rows = table.type == REDACTED
    return pc.if_else(pa.array(rows), scalar(STRUCK_OUT), table.text) if rows.any() else table.text
