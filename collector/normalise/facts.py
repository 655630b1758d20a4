"""From columns to decisions: the facts of each span as one number, one decision per distinct number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.normalise import roles
from collector.normalise.choices import mask_of, scalar
from collector.normalise.names import Names
from collector.normalise.scopes import SDK_CLASSES, family, sdk_class
from collector.normalise.texts import Texts, readonly
from seamscope.kernel import kernel
from seamscope.schema import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from collector.decoding.flat import FlatTraces
    from collector.normalise.keys import Promoted
    from collector.normalise.resources import Resources
    from collector.normalise.texts import I32, Mask
    from seamscope.config import Rules

    I64 = NDArray[np.int64]
    U8 = NDArray[np.uint8]

SPAN_NAMES: Final = Names.of(roles.PATTERNS)
OLD_NEXT: Final = "0.0.1"
"""Version that the scope `next.js` states in Next.js 14 and 15."""

_NOT_IN: Final = pa.scalar(-1, pa.int32())
_MARKS: Final = {
    "span_type": roles.SPAN_TYPES,
    "asgi_event": roles.ASGI_EVENTS,
    "phase": roles.PHASES,
    "component": roles.COMPONENTS,
    "trigger": roles.TRIGGERS,
}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A decision per span; fields as in `roles.Verdict`."""

    role: U8
    extent: U8
    tier: U8
    entry: Mask
    named_route: Mask
    store_system: U8
    job_system: U8
    keeps_name: Mask


@kernel
def _group(numbers: I64) -> tuple[I32, I32]:
    """Number the distinct values in order of appearance: (number per row, a row of each)."""
    size = 16
    while size < 2 * len(numbers):
        size *= 2
    table = np.full(size, -1, np.int32)
    groups = np.empty(len(numbers), np.int32)
    firsts = np.empty(len(numbers), np.int32)
    count = 0
    for row in range(len(numbers)):
        mixed = np.uint64(numbers[row]) * np.uint64(0x9E3779B97F4A7C15)
        at = np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(size - 1))
        while table[at] >= 0 and numbers[firsts[table[at]]] != numbers[row]:
            at = (at + 1) & (size - 1)
        if table[at] < 0:
            table[at] = count
            firsts[count] = row
            count += 1
        groups[row] = table[at]
    return groups, firsts[:count].copy()


class _Packed:
    """Small numbers per span packed into one, to be taken apart again per distinct value."""

    def __init__(self, rows: int) -> None:
        self.numbers = np.zeros(rows, np.int64)
        self._places: dict[str, tuple[int, int]] = {}
        self._step = 1

    def add(self, name: str, codes: NDArray[np.integer] | Mask, size: int) -> None:
        """Pack `codes`, all below `size`."""
        self.numbers += codes.astype(np.int64) * self._step
        self._places[name] = (self._step, size)
        self._step *= size
        if self._step >= 2**62:
            raise OverflowError("too many distinct scopes and resources in one batch")

    def field(self, number: int, name: str) -> int:
        step, size = self._places.get(name, (1, 1))
        return number // step % size


def pattern_mask(texts: pa.StringArray, pattern: str) -> Mask:
    """Return which texts fit a shell-style pattern."""
    if not any(mark in pattern for mark in "*?["):
        return mask_of(pc.equal(texts, scalar(pattern)))
    return mask_of(pc.match_substring_regex(texts, _expression(pattern)))


@lru_cache(maxsize=256)
def _expression(pattern: str) -> str:
    """Return a shell-style pattern as a regular expression of the kind Arrow knows."""
    parts = re.split(r"(\*|\?|\[!?[^\]]+\])", pattern)
    known = {"*": ".*", "?": "."}
    return (
        "(?s)^"
        + "".join(
            known.get(part)
            or (f"[^{part[2:]}" if part.startswith("[!") else part if part[:1] == "[" else re.escape(part))
            for part in parts
        )
        + "$"
    )


def _mark_codes(own: Promoted, slot: str, vocabulary: tuple[str, ...]) -> I32:
    """Return the position of each span's text in `vocabulary`, 0 where it is not in there."""
    found = pc.index_in(own.slices(slot).array(), value_set=_values(vocabulary[1:]))
    codes: I32 = pc.fill_null(found, _NOT_IN).to_numpy(zero_copy_only=False) + np.int32(1)
    return codes


@lru_cache(maxsize=16)
def _values(vocabulary: tuple[str, ...]) -> pa.StringArray:
    return pa.array(vocabulary, pa.string())


def _ruled_phases(names: pa.StringArray, rules: Rules) -> I32 | None:
    """Return the phase that the operator's rules give each span, None where no span has one."""
    codes: I32 | None = None
    for pattern, cause in reversed(rules.phases):
        mask = pattern_mask(names, pattern)
        if cause in roles.PHASES and mask.any():
            codes = np.zeros(len(names), np.int32) if codes is None else codes
            codes[mask] = roles.PHASES.index(cause)
    return codes


def _pack_marks(packed: _Packed, flat: FlatTraces, own: Promoted, rules: Rules) -> None:
    """Pack what attributes say by their value."""
    ruled = _ruled_phases(flat.spans.name, rules)
    for slot, vocabulary in _MARKS.items():
        codes = _mark_codes(own, slot, vocabulary) if slot in own else None
        if slot == "phase" and ruled is not None:
            codes = ruled if codes is None else np.where(codes > 0, codes, ruled).astype(np.int32)
        if codes is not None:
            packed.add(slot, codes, len(vocabulary))


def _pack_flags(packed: _Packed, own: Promoted) -> None:
    """Pack what attributes say by being there."""
    flags = {
        "category": ("category",),
        "bubbled": ("bubbled",),
        "routed": ("route",),
        "store": ("db_system", "db_statement"),
        "rpc": ("rpc_system", "rpc_method"),
        "bullmq": ("bullmq", "bullmq_id", "bullmq_queue"),
    }
    for name, slots in flags.items():
        occurring = [own.has(slot) for slot in slots if slot in own]
        if occurring:
            packed.add(name, np.logical_or.reduce(occurring), 2)


def _distinct_scopes(flat: FlatTraces) -> tuple[list[tuple[str, str]], I64]:
    """Return the distinct (name, version) of the batch's scopes, and the position of each scope row among them."""
    rows = list(zip(flat.scopes.name.to_pylist(), flat.scopes.version.to_pylist(), strict=True))
    places: dict[tuple[str, str], int] = {}
    codes = [places.setdefault(row, len(places)) for row in rows]
    return list(places), np.array(codes, np.int64)


def _facts(packed: _Packed, number: int, scope: tuple[str, str], sdk: str, *, edge: bool) -> roles.Facts:
    def word(name: str, vocabulary: tuple[str, ...]) -> str:
        return vocabulary[packed.field(number, name)]

    def flag(name: str) -> bool:
        return bool(packed.field(number, name))

    name, version = scope
    return roles.Facts(
        family=family(name, sdk),
        edge=edge,
        kind=word("kind", words.SPAN_KINDS),
        name=word("name", SPAN_NAMES.patterns),
        span_type=word("span_type", roles.SPAN_TYPES),
        asgi_event=word("asgi_event", roles.ASGI_EVENTS),
        phase=word("phase", roles.PHASES),
        component=word("component", roles.COMPONENTS),
        trigger=word("trigger", roles.TRIGGERS),
        old_next=version == OLD_NEXT and not flag("category"),
        new_next=flag("category") or version not in {"", OLD_NEXT},
        bubbled=flag("bubbled"),
        routed=flag("routed"),
        store=flag("store"),
        rpc=flag("rpc"),
        bullmq=flag("bullmq"),
    )


def judge(flat: FlatTraces, own: Promoted, resources: Resources, kind: U8, rules: Rules) -> Verdicts:
    """Decide what every span is.

    Args:
        flat: the batch.
        own: the spans' own attributes.
        resources: the batch's resources.
        kind: `words.SPAN_KINDS` per span.
        rules: the operator's.
    """
    scopes, scope_of = _distinct_scopes(flat)
    seen = resources.distinct
    emitters = [(SDK_CLASSES.index(sdk_class(r.sdk or "")), r.tier == "edge") for r in seen]
    emitter_of = np.array([2 * sdk + edge for sdk, edge in emitters], np.int64)[resources.which]
    packed = _Packed(len(kind))
    packed.add("kind", kind, len(words.SPAN_KINDS))
    packed.add("name", SPAN_NAMES.match(Texts.of(flat.spans.name)), len(SPAN_NAMES.patterns))
    packed.add("emitter", emitter_of[flat.spans.resource], 2 * len(SDK_CLASSES))
    _pack_marks(packed, flat, own, rules)
    _pack_flags(packed, own)
    packed.add("scope", scope_of[flat.spans.scope], len(scopes))
    groups, firsts = _group(readonly(packed.numbers))
    verdicts = []
    for first in firsts:
        number = int(packed.numbers[first])
        emitter = packed.field(number, "emitter")
        scope = scopes[packed.field(number, "scope")]
        verdicts.append(roles.decide(_facts(packed, number, scope, SDK_CLASSES[emitter // 2], edge=emitter % 2 == 1)))
    table = np.array(verdicts, np.uint8).reshape(-1, len(roles.Verdict._fields))[groups]
    role, extent, tier, entry, named_route, store, job, keeps = np.ascontiguousarray(table.T)
    return Verdicts(
        role=role,
        extent=extent,
        tier=_ruled_tiers(flat, resources, scopes, scope_of, rules, tier),
        entry=entry.astype(np.bool_),
        named_route=named_route.astype(np.bool_),
        store_system=store,
        job_system=job,
        keeps_name=keeps.astype(np.bool_),
    )


def _ruled_tiers(
    flat: FlatTraces, resources: Resources, scopes: list[tuple[str, str]], scope_of: I64, rules: Rules, tier: U8
) -> U8:
    """Return the tiers, with the operator's own rules above what was decided; the first rule that fits wins."""
    for rule in reversed(rules.tiers):
        service, scope = rule.service or "*", rule.scope or "*"
        from_service = np.array([fnmatchcase(r.service, service) for r in resources.distinct], np.bool_)
        from_scope = np.array([fnmatchcase(name, scope) for name, _ in scopes], np.bool_)
        mask = from_service[resources.which][flat.spans.resource] & from_scope[scope_of][flat.spans.scope]
        if rule.name is not None:
            mask &= pattern_mask(flat.spans.name, rule.name)
        tier = np.where(mask, np.uint8(words.code(words.TIERS, rule.tier)), tier)
    return tier
