"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from seamscope.config import Config

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

DEFAULT_DB = "./seamscope.duckdb"


def _default_db() -> str:
    return os.environ.get("SEAMSCOPE_DB") or DEFAULT_DB


def _together(*decorators: Decorator) -> Decorator:
    def apply(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def db_option() -> Decorator:
    """`--db`: a file, or `grpc://HOST:PORT` of a collector that lends its store for reading."""
    return click.option(
        "--db",
        default=_default_db,
        show_default="$SEAMSCOPE_DB or ./seamscope.duckdb",
        metavar="PATH|grpc://HOST:PORT",
        help="The store.",
    )


def config_option() -> Decorator:
    """`--config`: the operator's rules."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        default=Path("seamscope.toml"),
        show_default=True,
        help="Operator's rules: tiers, peers, phases.",
    )


def operators_rules(config: Path) -> Config:
    """Read the operator's rules; a file that nobody named may be absent."""
    from seamscope.config import load

    named = click.get_current_context().get_parameter_source("config") is not click.core.ParameterSource.DEFAULT
    return load(config if named else None)


def selection_options() -> Decorator:
    """`--filter --since --until`: which requests a reading command looks at."""
    return _together(
        click.option("--filter", "filter_", default="", metavar="EXPR", help="For example 'route:/dash shell>500ms'."),
        click.option("--since", metavar="TIME", help="RFC 3339, or an age such as 15m."),
        click.option("--until", metavar="TIME", help="RFC 3339, or an age such as 5m."),
    )


def json_option() -> Decorator:
    """`--json`: one document on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def colour() -> bool:
    """Tell whether stdout may carry colour: a terminal, and NO_COLOR unset."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
