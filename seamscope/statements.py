"""Named SQL: one statement or fragment per file under `seamscope/sql`, read once.

Files carry values as `$name` parameters. Where a statement needs another piece of our own SQL (the predicate of a
filter line, the key of a grouping) it says `{piece}`; what a user typed only ever travels as a parameter.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def _text(name: str) -> str:
    text = files("seamscope").joinpath("sql", *f"{name}.sql".split("/")).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def statement(name: str, /, **pieces: str) -> str:
    """Give the text of `seamscope/sql/<name>.sql` with its `{piece}` marks replaced by other SQL of ours."""
    text = _text(name)
    for mark, piece in pieces.items():
        text = text.replace("{" + mark + "}", piece)
    return text
