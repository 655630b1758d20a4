"""Resources: which service, version, environment, host and place sent a span, and the tier that follows from it.

The traps are known: `cloud.provider=vercel` is set off Vercel too, Workers say `cloud.region=earth`, and the default
service names (`unknown_service:node`, `<unknown_service>`, `app`) are shared by strangers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from collector.decoding.flat import STRING
from collector.normalise.redaction import shown
from collector.normalise.scopes import sdk_class
from collector.normalise.texts import Texts, readonly
from seamscope.kernel import kernel
from seamscope.schema import words
from seamscope.schema.tables import ATTRIBUTES, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from collector.decoding.flat import AttributeColumns
    from collector.normalise.texts import I32, U8, Mask

    U64 = NDArray[np.uint64]

UNKNOWN_SERVICE: Final = "unknown_service"
"""Service of a resource that names none, as the SDKs spell it."""

SERVICE_KEYS: Final = ("faas.name", "cloudflare.script_name", "k8s.deployment.name", "k8s.statefulset.name")
"""What names the program where `service.name` does not."""
ENVIRONMENT_KEYS: Final = ("deployment.environment.name", "deployment.environment", "env")
VERSION_KEYS: Final = ("service.version", "cf.worker.version.id", "cloudflare.script_version.id", "faas.version")
INSTANCE_KEYS: Final = ("host.id", "host.name", "k8s.pod.uid", "faas.instance", "service.instance.id")
PLACE_KEYS: Final = ("cloudflare.colo", "vercel.region", "cloud.region", "cloud.availability_zone")
NOWHERE: Final = frozenset({"earth", "global"})
"""Regions that say nothing about where."""

LONGEST: Final = 1024
"""Characters in all that a resource may be described by so that it is remembered: it is for long, and of many."""

EDGE_PLATFORMS: Final = frozenset({"cloudflare.workers", "cloudflare_workers"})
ORIGIN_PLATFORMS: Final = ("aws_", "gcp_", "azure.", "azure_", "alibaba_cloud_", "ibm_cloud_", "tencent_cloud_")
SERVER_LANGUAGES: Final = frozenset(
    {"go", "python", "java", "dotnet", "nodejs", "ruby", "php", "rust", "cpp", "erlang", "deno-rust"}
)
SCRIPT_LANGUAGES: Final = frozenset({"nodejs", "webjs", "js", "javascript"})
"""SDKs that start spans on whole milliseconds."""
RUNTIME_LANGUAGES: Final = {"nodejs": "nodejs", "edge": "javascript", "browser": "webjs"}
"""`process.runtime.name` → language, where no SDK names one (`@vercel/otel` does not)."""

_DENO: Final = "deno."
_TELLING: Final = frozenset({
    *("service.name", "telemetry.sdk.name", "telemetry.sdk.language", "vercel.runtime", "process.runtime.name"),
    *("cloud.platform", *SERVICE_KEYS, *ENVIRONMENT_KEYS, *VERSION_KEYS, *INSTANCE_KEYS, *PLACE_KEYS),
})  # fmt: skip
"""What `describe` looks at, beside keys that begin with `_DENO`."""

MILLISECOND_NS: Final = 1_000_000


class Resource(NamedTuple):
    """What is known of one resource."""

    service: str
    version: str | None
    environment: str | None
    instance: str
    pooled: bool
    place: str | None
    tier: str
    language: str | None
    sdk: str | None

    @property
    def grain_ns(self) -> int:
        """Granularity of this SDK's clock."""
        return MILLISECOND_NS if (self.language or "").lower() in SCRIPT_LANGUAGES else 1


@kernel
def _text_hash(data: U8, at: int, end: int) -> np.uint64:
    state = np.uint64(0xCBF29CE484222325)
    for i in range(at, end):
        state = (state ^ np.uint64(data[i])) * np.uint64(0x100000001B3)
    return state


@kernel
def _mixed(state: np.uint64) -> np.uint64:
    """Spread every bit over all of them (the finisher of SplitMix64)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@kernel
def _ids(
    owner: NDArray[np.uint32],
    key: I32,
    kinds: U8,
    data: U8,
    offsets: I32,
    key_data: U8,
    key_offsets: I32,
    count: int,
) -> U64:
    ids = np.full(count, np.uint64(0x5EA35C09E0000001))
    for row in range(len(owner)):
        name = _text_hash(key_data, key_offsets[key[row]], key_offsets[key[row] + 1])
        value = _text_hash(data, offsets[row], offsets[row + 1])
        pair = _mixed(name ^ np.uint64(kinds[row])) * np.uint64(3) + _mixed(value)
        # a sum does not care for the order in which an emitter lists its attributes
        ids[owner[row]] += _mixed(pair)
    for at in range(count):
        ids[at] = max(_mixed(ids[at]), np.uint64(1))
    return ids


def identify(table: AttributeColumns, keys: pa.StringArray, count: int) -> U64:
    """Return the id of each of `count` resources: a hash of its attributes in any order, the same for ever, never 0."""
    texts = Texts.of(table.text)
    names = Texts.of(keys)
    return _ids(
        readonly(table.owner),
        readonly(table.key),
        readonly(table.type),
        texts.data,
        texts.offsets,
        names.data,
        names.offsets,
        count,
    )


def _first(attributes: dict[str, str], keys: tuple[str, ...]) -> str | None:
    return next((attributes[key] for key in keys if attributes.get(key, "").strip()), None)


def _service(attributes: dict[str, str], texts: set[str]) -> str:
    name = attributes.get("service.name", "").strip() if "service.name" in texts else ""
    if name.strip("<>").split(":")[0] == UNKNOWN_SERVICE:
        named = name.strip("<>")
        return _first(attributes, SERVICE_KEYS) or named
    return name or _first(attributes, SERVICE_KEYS) or UNKNOWN_SERVICE


def _tier(attributes: dict[str, str], language: str, sdk: str) -> str:
    if language == "webjs":
        return "browser"
    runtimes = {attributes.get("vercel.runtime"), attributes.get("process.runtime.name")}
    platform = attributes.get("cloud.platform", "")
    if sdk_class(sdk) or platform in EDGE_PLATFORMS or "edge" in runtimes:
        return "edge"
    if language == "deno-rust" and _DENO in attributes:
        # only Deno Deploy names an app and a revision; elsewhere Deno is a server like others
        return "edge"
    if "vercel.runtime" in attributes:
        return "render"
    if platform.startswith(ORIGIN_PLATFORMS) or language in SERVER_LANGUAGES:
        return "origin"
    return "unknown"


@lru_cache(maxsize=4096)
def describe(attributes: tuple[tuple[str, str, bool], ...]) -> Resource:
    """Return what attributes (key, text, whether it was sent as text) say of a resource; see `telling`."""
    said = {key: text for key, text, _ in attributes}
    runtime = said.get("vercel.runtime") or said.get("process.runtime.name") or ""
    language = said.get("telemetry.sdk.language") or RUNTIME_LANGUAGES.get(runtime)
    sdk = said.get("telemetry.sdk.name")
    service = _service(said, {key for key, _, is_text in attributes if is_text})
    places = (said.get(key, "").strip() for key in PLACE_KEYS)
    place = next((name for name in places if name and name not in NOWHERE), None)
    host = _first(said, INSTANCE_KEYS)
    return Resource(
        service=service,
        version=_first(said, VERSION_KEYS),
        environment=_first(said, ENVIRONMENT_KEYS),
        instance=host or (f"{service}@{place}" if place else service),
        pooled=host is None,
        place=place,
        tier=_tier(said, language or "", sdk or ""),
        language=language,
        sdk=sdk,
    )


def telling(attributes: Iterable[tuple[str, str, bool]]) -> tuple[tuple[str, str, bool], ...]:
    """Return what `describe` looks at: of a repeated key the last, of those that begin with `_DENO` that there are."""
    found: dict[str, tuple[str, bool]] = {}
    for key, text, is_text in attributes:
        if key in _TELLING:
            found[key] = text, is_text
        elif key.startswith(_DENO):
            found[_DENO] = "", True
    return tuple((key, *said) for key, said in found.items())


def described(attributes: Iterable[tuple[str, str, bool]]) -> Resource:
    """Return what attributes (as `describe` has them) say of a resource."""
    said = telling(attributes)
    is_short = sum(len(text) for _, text, _ in said) <= LONGEST
    return describe(said) if is_short else describe.__wrapped__(said)


class Resources:
    """The resources of a batch, each once.

    Attributes:
        ids: id per resource row of the batch.
        distinct: what is known of each distinct resource.
        which: position in `distinct` per resource row of the batch.
    """

    def __init__(self, table: AttributeColumns, keys: pa.StringArray, count: int) -> None:
        """Read `count` resources whose attributes are `table`."""
        self.ids = identify(table, keys, count)
        self._distinct_ids, self._first, which = np.unique(self.ids, return_index=True, return_inverse=True)
        self.which: NDArray[np.int64] = which.astype(np.int64)
        self._bounds = np.searchsorted(table.owner, np.arange(count + 1)).astype(np.int32)
        self._rows, self._keys, self._spelled = table, keys, keys.to_pylist()
        self.distinct = tuple(self._described(int(at)) for at in self._first)

    def _described(self, at: int) -> Resource:
        rows = slice(int(self._bounds[at]), int(self._bounds[at + 1]))
        names = [self._spelled[code] for code in self._rows.key[rows].tolist()]
        is_text = (self._rows.type[rows] == STRING).tolist()
        return described(zip(names, self._rows.text[rows].to_pylist(), is_text, strict=True))

    def table(self, used: Mask | None = None, renders: Mask | None = None) -> pa.Table:
        """Return the rows of `RESOURCES`.

        Args:
            used: which of `distinct` to give out; None is all.
            renders: which of `distinct` showed the scope of an SSR framework: their tier is at least `render`.
        """
        count = len(self.distinct)
        wanted = np.arange(count) if used is None else np.flatnonzero(used)
        is_render = np.zeros(count, np.bool_) if renders is None else renders
        rows = [self.distinct[int(at)] for at in wanted]
        tiers = [_raised(row.tier, bool(is_render[at])) for row, at in zip(rows, wanted, strict=True)]
        attributes = list_column(self._bounds, self._keys.take(pa.array(self._rows.key)), shown(self._rows))
        columns = {
            "resource_id": pa.array(self._distinct_ids[wanted]),
            "service": [row.service for row in rows],
            "service_version": [row.version for row in rows],
            "environment": [row.environment for row in rows],
            "instance": [row.instance for row in rows],
            "pooled": [row.pooled for row in rows],
            "place": [row.place for row in rows],
            "tier": [words.code(words.TIERS, tier) for tier in tiers],
            "language": [row.language for row in rows],
            "sdk": [row.sdk for row in rows],
            "attributes": attributes.take(pa.array(self._first[wanted])),
        }
        return pa.table(columns, schema=RESOURCES)


def _raised(tier: str, renders: bool) -> str:
    return "render" if renders and tier in {"origin", "unknown"} else tier


def list_column(bounds: I32, keys: pa.StringArray, texts: pa.StringArray) -> pa.ListArray:
    """Return attributes as one list of {key, value} per owner; `bounds` are n + 1 offsets into the rows."""
    pairs = pa.StructArray.from_arrays([keys, texts], fields=list(ATTRIBUTES.value_type))
    return pa.ListArray.from_arrays(pa.array(bounds), pairs, type=ATTRIBUTES)
