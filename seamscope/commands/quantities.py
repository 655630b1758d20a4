"""Sizes and durations as people write them, read and held to what makes sense."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES: Final = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
TIMES: Final = {"": 1.0, "s": 1.0, "ms": 1e-3, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
LEAST_MEMORY: Final = 512 * 2**20
LEAST_SIZE: Final = 64 * 2**20
MOST_BYTES: Final = 1024 * 2**40
LEAST_AGE: Final = "1s"
MOST_AGE: Final = "36500d"
"""Nanoseconds of more do not fit into 64 bits."""


def size_bytes(text: str) -> int:
    """Read `512MiB`, `1GB` or a number of bytes."""
    match = re.fullmatch(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]*)", text.strip())
    if match is None or match["unit"].upper() not in SIZES:
        raise click.BadParameter(f"{text!r} is not a size; write 512MiB or 2GB")
    found = float(match["number"]) * SIZES[match["unit"].upper()]
    if found > MOST_BYTES:
        raise click.BadParameter("at most 1024TiB make sense")
    return int(found)


def seconds(text: str) -> float:
    """Read `10s`, `500ms`, `2m`, `7d` or a number of seconds."""
    match = re.fullmatch(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]*)", text.strip())
    if match is None or match["unit"] not in TIMES:
        raise click.BadParameter(f"{text!r} is not a duration; write 10s, 2m or 7d")
    return float(match["number"]) * TIMES[match["unit"]]


def memory(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """What a collector may use; an option's callback."""
    found = size_bytes(text)
    if found < LEAST_MEMORY:
        raise click.BadParameter("at least 512MiB are needed")
    return found


def duration(least: str, most: str) -> Callable[[click.Context, click.Parameter, str], float]:
    """A duration within bounds; gives an option's callback."""
    return lambda _context, _parameter, text: _bounded_s(text, least, most)


def age(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """How long traces are kept, if there is a bound; an option's callback."""
    return None if text is None else _bounded_s(text, LEAST_AGE, MOST_AGE)


def _bounded_s(text: str, least: str, most: str) -> float:
    found = seconds(text)
    if found < seconds(least):
        raise click.BadParameter(f"at least {least} is needed")
    if found > seconds(most):
        raise click.BadParameter(f"at most {most} makes sense")
    return found


def size(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """How much is kept, if there is a bound; an option's callback."""
    found = None if text is None else size_bytes(text)
    if found is not None and found < LEAST_SIZE:
        raise click.BadParameter("at least 64MiB are needed")
    return found
