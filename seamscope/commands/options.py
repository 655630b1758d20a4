"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from seamscope.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from seamscope.config import Config

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

DEFAULT_DB = "./seamscope.duckdb"


def db_named_by_environment() -> bool:
    """Tell whether `$SEAMSCOPE_DB` names the store."""
    return bool(os.environ.get("SEAMSCOPE_DB"))


def _default_db() -> str:
    return os.environ.get("SEAMSCOPE_DB") or DEFAULT_DB


def _together(*decorators: Decorator) -> Decorator:
    def apply(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


class Target(str):
    """What `--db` names, and what opens it where it is another machine's: see `seamscope.remote.open_store`."""

    __slots__ = ("tls_ca", "token_file")

    token_file: Path | None
    tls_ca: Path | None


_ACCESS: Final = ("token_file", "tls_ca")


def _keep(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    context.meta[f"seamscope.{parameter.name}"] = value


def _target(context: click.Context, _parameter: click.Parameter, value: str) -> str:
    target = Target(value)
    for name in _ACCESS:
        setattr(target, name, context.meta.get(f"seamscope.{name}"))
    return target


def db_option(*, remote: bool = True) -> Decorator:
    """`--db`: a file, or (`remote`) `grpc://HOST:PORT` of a collector that lends its store, and what it asks for."""
    db = click.option(
        "--db",
        default=_default_db,
        show_default="$SEAMSCOPE_DB or ./seamscope.duckdb",
        metavar="PATH|grpc://HOST:PORT" if remote else "PATH",
        help="The store.",
        callback=_target,
    )
    if not remote:
        return db
    file = click.Path(path_type=Path)
    keep: dict[str, Any] = {"type": file, "metavar": "FILE", "expose_value": False, "is_eager": True, "callback": _keep}
    return _together(
        db,
        click.option("--token-file", **keep, help="Read token of a remote store; default $SEAMSCOPE_TOKEN."),
        click.option("--tls-ca", **keep, help="Certificate of the CA of a remote store; asks for TLS."),
    )


def config_option() -> Decorator:
    """`--config`: the operator's rules; a file that somebody named must be there, whoever reads it."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        default=Path("seamscope.toml"),
        show_default=True,
        help="Operator's rules: tiers, peers, phases.",
        callback=_named_file,
    )


def _was_named(context: click.Context) -> bool:
    return context.get_parameter_source("config") is not click.core.ParameterSource.DEFAULT


def _named_file(context: click.Context, _parameter: click.Parameter, config: Path) -> Path:
    if _was_named(context) and not config.is_file():
        raise UsageError(f"{config}: no such file", "name the file with the operator's rules, or leave --config out")
    return config


def operators_rules(config: Path) -> Config:
    """Read the operator's rules; a file that nobody named may be absent."""
    from seamscope.config import load

    return load(config if _was_named(click.get_current_context()) else None)


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
