"""The filter line: what a person types becomes a predicate over `base.requests`, its values always parameters.

A line is a list of terms; all must hold. `key:value` (contains for routes, operations and owners, equals for names, `*`
stands for anything), `key=value` (equals), `key!=value`, `key==value` (to the letter, `*` too; of a name, `''` is
none), `key>500ms`, `-key:value` (none such), a bare word (free text). The same key twice means either. Terms about a
stretch of the path (`tier cause owner evidence`) must hold for one and the same stretch, terms about a call (`seam
boundary peer operation gap`) for one and the same call; each `==` is a condition of its own. A key that is none of ours
is an attribute (`org_id:7`; `attr.KEY:value` for one that is spelled like ours).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seamscope.errors import UsageError
from seamscope.schema.words import TIERS
from seamscope.selection.keys import ALIASES, EQUALITIES, KEYS, LEVELS, Bound, attribute, condition
from seamscope.selection.line import EXACT, TEXT, Term, parse
from seamscope.selection.values import time_ns
from seamscope.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seamscope.results import Selection
    from seamscope.store import Reader

EVERY_ENVIRONMENT = "*"
"""As `Selection.environment`: look at all environments together."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition over `base.requests r`: our own SQL, and the values it names."""

    where: str
    params: dict[str, object]


def predicate(selection: Selection, now_ns: int) -> Predicate:
    """Turn a selection into SQL; ages (`15m`) count back from `now_ns`. Off words raise `UsageError`."""
    bound = Bound()
    parts = _from_terms(_named(parse(selection.filter)), bound)
    if selection.since:
        parts.append(f"r.start_ns >= {bound(time_ns(selection.since, now_ns))}")
    if selection.until:
        parts.append(f"r.start_ns < {bound(time_ns(selection.until, now_ns))}")
    if selection.environment not in {None, EVERY_ENVIRONMENT}:
        parts.append(f"r.environment = {bound(selection.environment)}")
    return Predicate(" AND ".join(f"({part})" for part in parts) or "true", bound.params)


def _named(terms: Iterable[Term]) -> list[Term]:
    return [replace(term, key=_key(term)) if term.key not in TIERS else _owner(term) for term in terms]


def _owner(term: Term) -> Term:
    """`origin:orders` names an owner, `render:web->origin:api` a seam."""
    key = "seam" if "->" in term.value or "→" in term.value else "owner"
    return Term(key, term.operator, f"{term.key}:{term.value}", term.negated)


def _key(term: Term) -> str:
    key = ALIASES.get(term.key.lower(), term.key.lower())
    if key in KEYS or key == TEXT:
        return key
    if key.startswith("attr.") and len(key) > len("attr."):
        return term.key
    near = difflib.get_close_matches(key, [*KEYS, *ALIASES], n=1, cutoff=0.9 if {".", "_"} & set(key) else 0.82)
    if near:
        raise UsageError(
            f"filter: unknown key {term.key!r} (did you mean {near[0]}?)",
            f"an attribute of that name is attr.{term.key}{term.operator}{term.value}",
        )
    return f"attr.{term.key}"


def _from_terms(terms: list[Term], bound: Bound) -> list[str]:
    alone = [term for term in terms if term.negated or term.operator == EXACT]
    held = [term for term in terms if term not in alone]
    parts = [_alone(term, bound) for term in alone]
    for level in LEVELS:
        here = [term for term in held if _level(term) == level]
        together = [_either(group, bound) for group in _by_key(here)]
        if together:
            parts.append(statement(f"filter/{level}", condition=" AND ".join(together)))
    return parts


def _level(term: Term) -> str:
    return KEYS[term.key].level if term.key in KEYS else "request"


def _alone(term: Term, bound: Bound) -> str:
    holds = statement(f"filter/{_level(term)}", condition=_one(term, bound))
    return f"NOT coalesce({holds}, false)" if term.negated else holds


def _one(term: Term, bound: Bound) -> str:
    if term.key.startswith("attr."):
        return attribute(term, bound)
    return condition(term, bound)


def _by_key(terms: list[Term]) -> list[list[Term]]:
    """Group terms that mean 'either': same key and an equality; texts and comparisons stand alone."""
    groups: dict[object, list[Term]] = {}
    for place, term in enumerate(terms):
        alone = term.key == TEXT or term.operator not in EQUALITIES
        groups.setdefault(place if alone else term.key, []).append(term)
    return list(groups.values())


def _either(terms: list[Term], bound: Bound) -> str:
    return f"({' OR '.join(_one(term, bound) for term in terms)})"


def speaks_of(selection: Selection, key: str) -> bool:
    """Tell whether the filter line of a selection has a term about one of our keys."""
    return any(term.key == key for term in _named(parse(selection.filter)))


def names_environment(selection: Selection) -> bool:
    """Tell whether a selection says of itself which environments it looks at."""
    return selection.environment is not None or speaks_of(selection, "environment")


def without_other(selection: Selection) -> Selection:
    """Leave out requests of kind `other` (module loads and their like), unless the filter line speaks of kinds."""
    if speaks_of(selection, "kind"):
        return selection
    return replace(selection, filter=f"{selection.filter} -kind:other".strip())


def one_environment(reader: Reader, selection: Selection) -> tuple[Selection, tuple[str, ...]]:
    """Take one environment where a selection names none and the store knows several; say so in a note.

    `production` if there is one, else the one with most requests. `environment:…` in the filter line (`*` for all)
    and a set `Selection.environment` are left alone.
    """
    if names_environment(selection):
        return selection, ()
    found = reader.query(statement("report/environments"), {})
    names = [str(name) for name in found["environment"]]
    if len(names) < 2:
        return selection, ()
    taken = "production" if "production" in names else names[0]
    others = ", ".join(name for name in names if name != taken)
    note = f"environment {taken} only (also here: {others}; environment:* takes all)"
    return replace(selection, environment=taken), (note,)


def unknown_attributes(reader: Reader, selection: Selection) -> list[str]:
    """Name the attribute keys of a filter line that no span and no resource carries; reads every span once."""
    keys = [term.key.removeprefix("attr.") for term in _named(parse(selection.filter)) if term.key.startswith("attr.")]
    known = statement("report/attribute_known")
    return [key for key in keys if not reader.query(known, {"key": key})["known"][0]]
