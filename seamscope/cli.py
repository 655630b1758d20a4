"""The front door for people: finds the command, runs it, turns errors into one line and an exit code.

A command lives in `seamscope.commands.<name>` as a click command named `command`; it is imported when it runs,
so `seamscope --help` stays quick.
"""

from __future__ import annotations

import codecs
import importlib
import io
import json
import sys
from typing import TYPE_CHECKING, Final

import click

from seamscope import __version__
from seamscope.allocators import keep_freed
from seamscope.errors import SeamscopeError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: Final = {
    "run": "Collector, recorded samples and explorer in one, for a first look.",
    "collect": "Run the receiver: OTLP over gRPC and HTTP into a store.",
    "import": "Bring files of spans into a store.",
    "replay": "Send recorded OTLP to an endpoint: files, folders of them, or - for standard input.",
    "analyze": "Analyse what has come in and is not yet analysed.",
    "report": "Owner, cause and evidence totals, percentiles of shell and complete, and the calls that held them.",
    "trace": "One request: its waterfall with its seams, its critical path, and who and what held it.",
    "seams": "A row per seam: hops, gap percentiles, share explained, server spans, connections, phases.",
    "findings": "What to act on, costliest first: where, how many requests, what it costs, and the next step.",
    "whatif": "What requests would take without something, with calls side by side, or with less of a cause.",
    "diff": "What one set of requests spends more of than another.",
    "dashboards": "Static pages of the same results: the boundary at a glance, and a page per route, seam and request.",
    "tui": "The explorer: requests as they come in, and for each the tier, the seam and the cause that made it slow.",
    "sql": "Run one read-only statement; QUERY is SQL, or - to read it from stdin.",
    "score": "Accuracy against recorded truth: tier, cause, error and findings, beside a naive baseline and chance.",
    "init": "Write a seamscope.toml to begin with, from what the store has seen.",
    "compact": "Write the store anew without its free space, and in larger pieces.",
    "doctor": "Look at versions, packages, kernels, the store, its disk and its collector, and say what to do.",
}
"""Every command and its line in `seamscope --help`, in the order a newcomer meets them."""


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"seamscope.commands.{cmd_name}_")
        found: click.Command = module.command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without importing a single command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Example: seamscope collect --db traces.duckdb, point an OTLP exporter at 127.0.0.1:4317, then trace-tui.",
)
@click.version_option(__version__, prog_name="seamscope")
@click.option("--debug", is_flag=True, help="Show a traceback where something fails.")
@click.pass_context
def group(ctx: click.Context, *, debug: bool) -> None:
    """Which tier, and which part of the seam between tiers, made this request slow."""
    ctx.ensure_object(dict)["debug"] = debug


def _fail(error: BaseException, *, debug: bool) -> int:
    if debug:
        raise error
    if isinstance(error, SeamscopeError):
        click.echo(f"seamscope: {_one_line(str(error))}", err=True)
        return error.exit_code
    what = _one_line(f"{type(error).__name__}: {error}")
    click.echo(f"seamscope: this should not have happened ({what}); --debug shows where", err=True)
    return SeamscopeError.exit_code


def _show(error: click.ClickException) -> None:
    """Say what click says of words that do not fit; it quotes them."""
    sheet = io.StringIO()
    error.show(sheet)
    click.echo("\n".join(map(_safe, sheet.getvalue().rstrip("\n").split("\n"))), err=True)


def _one_line(text: str) -> str:
    return _safe(" ".join(text.split()), 500)


def _safe(text: str, limit: int | None = None) -> str:
    from seamscope.text.safe import safe

    return safe(text, limit)


def _call(arguments: Sequence[str]) -> int:
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    try:
        result = group.main(args=(["--debug"] if debug else []) + words, prog_name="seamscope", standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the one place where errors become words; a panic is no Exception
        return _fail(error, debug=debug)
    return result if isinstance(result, int) else 0


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Give letters that an encoding has not as JSON does, so that a document stays one."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _begin() -> None:
    keep_freed()
    codecs.register_error("seamscope", _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="seamscope")


def main() -> None:
    """Run `seamscope` with the process's arguments and exit with the contract's codes."""
    _begin()
    sys.exit(_call(sys.argv[1:]))


def tui() -> None:
    """Run `trace-tui`, which is `seamscope tui`."""
    _begin()
    sys.exit(_call(["tui", *sys.argv[1:]]))
