"""Contexts become files: templates, style, scripts, the policy that keeps a page from asking anything of anyone."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from seamscope.errors import SeamscopeError
from seamscope.palette import CAUSE_HEX, TIER_HEX
from seamscope.text.figures import duration
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLICY: Final = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:"
"""What a page of the folder may load: its own files. Plotly sets inline styles."""

DEEPEST: Final = 16
"""Levels of indentation that a waterfall has."""

SCRIPTS: Final = ("charts.js",)


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dashboards"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "shown": safe, "embedded": embedded}
    return environment


def embedded(document: object) -> Markup:
    """Give JSON that may stand inside a script element: nothing in it ends the element or starts a comment."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 - every letter that HTML reads was replaced above


def style() -> str:
    """Give the whole stylesheet, colours from the palette."""
    written = files("dashboards").joinpath("assets", "seamscope.css").read_text(encoding="utf-8")
    causes = [f".c-{cause} {{ fill: {colour}; background: {colour}; }}" for cause, colour in CAUSE_HEX.items()]
    tiers = [f".t-{tier} {{ fill: {colour}; }}\n.w-{tier} {{ color: {colour}; }}" for tier, colour in TIER_HEX.items()]
    depths = [f".waterfall .d{depth} {{ padding-left: {14 * depth}px; }}" for depth in range(1, DEEPEST + 1)]
    hatched = (
        "i.c-unexplained, i.c-unobserved "
        "{ background-image: repeating-linear-gradient(45deg, var(--hatch) 0 2px, transparent 2px 5px); }\n"
        "i.dotted { background: radial-gradient(var(--ink) 1px, transparent 1.4px) 0 0 / 4px 4px; }"
    )
    return "\n".join([written, *causes, *tiers, *depths, hatched, ""])


def page(template: str, context: object, **more: Any) -> str:
    """Give a page of the folder."""
    drawn = _templates().get_template(template)
    return drawn.render(context=context, page=context.page, policy=POLICY, **more)  # type: ignore[attr-defined]


def single_page(template: str, context: object) -> str:
    """Give a page that is one file: its style inside, allowed by its hash; no script at all."""
    inside = style()
    digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:"
    drawn = _templates().get_template(template)
    return drawn.render(  # type: ignore[no-any-return, unused-ignore]
        context=context,
        page=context.page,  # type: ignore[attr-defined]
        policy=policy,
        style=Markup(inside),  # noqa: S704 - our own file and the palette
    )


def write_assets(out: Path) -> None:
    """Write style and scripts into `out/assets`; plotly.js comes from the installed plotly, once per folder.

    Raises:
        SeamscopeError: one of them cannot be written.
    """
    place = out / "assets"
    write(place / "seamscope.css", style())
    for name in SCRIPTS:
        write(place / name, files("dashboards").joinpath("assets", name).read_text(encoding="utf-8"))
    bundle = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    copied = place / "plotly.min.js"
    with _in_words(copied):
        if not copied.exists() or copied.read_bytes() != bundle:
            copied.write_bytes(bundle)


def write(path: Path, text: str) -> None:
    """Write a file, same bytes on every system; what could be read is replaced at once, never half.

    A link is followed; what is there and no file (a pipe, a terminal) stays, and gets the text.

    Raises:
        SeamscopeError: it cannot be written.
    """
    with _in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8", newline="\n")
        else:
            _replace(path.resolve(), text)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8", newline="\n")
    fresh.replace(path)


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Say what is wrong with a place; that nobody reads a pipe any more is for the program to end at."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (NotADirectoryError, FileExistsError) as error:
        raise SeamscopeError(f"cannot write {path}: a file is where a folder is wanted") from error
    except OSError as error:
        raise SeamscopeError(f"cannot write {path}: {error.strerror}") from error
