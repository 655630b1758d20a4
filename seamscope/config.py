"""The operator's rules: `seamscope.toml`, read once, checked, frozen.

    [[tier]]                      # first rule that fits wins; patterns are shell-style ('*', '?', '[a-z]')
    service = "edge-*"            # any of service, scope, name, peer: all that are given must fit
    tier = "edge"

    [phases]                      # names of your own spans that are a wait or a phase of a call
    "db.pool.wait" = "pool_wait"  # (this one is shipped)

    [peers]                       # hosts that send no spans: a tier, or which service they are
    "flags.example.com" = "external"
    "10.0.3.7" = { service = "orders", tier = "origin" }

    [essential]                   # calls that a page needs, or survives without; by host or operation
    "announcements.internal" = false

    [redact]                      # attributes whose values are struck out before they are stored; first that fits wins
    "user.email" = true           # ('*' and '?'; case does not matter, nor '_' and '-')
    "next_page_token" = false     # (shipped: "*token" and its kin)

    [[budget]]                    # limits, one of `ms`, `ratio`; checked when read, held by no command yet
    name = "dash shell"
    filter = "route:/dash env:production"
    percentile = "p95"
    cause = "pool_wait"
    ms = 20

`Rules` is what the door needs while spans come in: a changed one holds for what comes after the collector's next start.
The rest is read when results are made, so that a changed rule takes effect at the next `seamscope analyze --all`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seamscope.errors import DataError, UsageError
from seamscope.schema import words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

DEFAULT_FILE: Final = "seamscope.toml"
SHIPPED_PHASES: Final = (("db.pool.wait", "pool_wait"),)
SHIPPED_SECRETS: Final = tuple(
    (f"*{end}", True)
    for end in (
        *("authorization", "cookie", "cookies", "token"),
        *("password", "passwd", "passphrase", "secret", "secret-key", "api-key", "access-key", "private-key"),
    )
)
"""Keys of attributes that hold credentials: captured headers, what loggers write of requests, environment variables."""

PERCENTILES: Final = ("mean", "p50", "p95", "p99")

_TIER_KEYS: Final = ("service", "scope", "name", "peer", "tier")
_PEER_KEYS: Final = ("tier", "service")
_BUDGET_KEYS: Final = ("name", "filter", "seam", "percentile", "horizon", "owner", "cause", "ms", "ratio")
_SECTIONS: Final = ("tier", "phases", "peers", "essential", "redact", "budget")


@dataclass(frozen=True, slots=True)
class TierRule:
    """Spans that fit every pattern given run in `tier` (a `peer` pattern: what is called there does)."""

    tier: str
    service: str | None = None
    scope: str | None = None
    name: str | None = None
    peer: str | None = None

    def fits(self, *, service: str = "", scope: str = "", name: str = "") -> bool:
        """Return whether a span of this service, scope and name is meant; never true of a `peer` rule."""
        pairs = ((self.service, service), (self.scope, scope), (self.name, name))
        return self.peer is None and all(pattern is None or fnmatchcase(text, pattern) for pattern, text in pairs)


@dataclass(frozen=True, slots=True)
class PeerRule:
    """What a host is that sends no spans."""

    tier: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on a percentile of a horizon, a seam's gap, an owner or a cause."""

    name: str
    filter: str = ""
    seam: str | None = None
    percentile: str = "p95"
    horizon: str | None = None
    owner: str | None = None
    cause: str | None = None
    ms: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the door needs: names of the user's own phases, secrets, and tier rules about services, scopes and spans."""

    phases: tuple[tuple[str, str], ...] = SHIPPED_PHASES
    """(pattern over span names, cause); the first that fits wins."""
    tiers: tuple[TierRule, ...] = ()
    redact: tuple[tuple[str, bool], ...] = SHIPPED_SECRETS
    """(pattern over keys of attributes, whether their values are struck out); the first that fits wins."""

    def tier(self, service: str, scope: str, name: str) -> str | None:
        """Return the tier that the operator gave to spans of this service, scope and name."""
        return next((rule.tier for rule in self.tiers if rule.fits(service=service, scope=scope, name=name)), None)

    def phase(self, name: str) -> str | None:
        """Return the cause that the operator gave to spans of this name."""
        return next((cause for pattern, cause in self.phases if fnmatchcase(name, pattern)), None)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole `seamscope.toml`; without a file, what is shipped."""

    rules: Rules = field(default_factory=Rules)
    tiers: tuple[TierRule, ...] = ()
    """Every `[[tier]]` rule in the file's order; those without `peer` are also in `rules`."""
    peers: tuple[tuple[str, PeerRule], ...] = ()
    """(pattern over hosts, what it is)."""
    essential: tuple[tuple[str, bool], ...] = ()
    """(pattern over hosts, services and operations, whether the page needs it)."""
    budgets: tuple[Budget, ...] = ()
    path: Path | None = None
    """The file it was read from."""

    def service_tier(self, service: str) -> str | None:
        """Return the tier given to a service as a whole: by a rule that names the service and nothing else."""
        whole = (rule for rule in self.tiers if rule.service and not (rule.scope or rule.name or rule.peer))
        return next((rule.tier for rule in whole if rule.fits(service=service)), None)

    def peer(self, host: str) -> PeerRule | None:
        """Return what the operator said a called host is: `[peers]` first, then `[[tier]]` rules with `peer`."""
        named = (rule for pattern, rule in self.peers if fnmatchcase(host, pattern))
        tiers = (PeerRule(tier=rule.tier) for rule in self.tiers if rule.peer and fnmatchcase(host, rule.peer))
        return next(named, None) or next(tiers, None)

    def is_essential(self, *names: str | None) -> bool | None:
        """Return what `[essential]` says of a call known under these names (host, service, operation), if anything."""
        given = [name for name in names if name]
        return next((said for pattern, said in self.essential if any(fnmatchcase(n, pattern) for n in given)), None)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in which file, for the words of an error."""

    file: Path
    key: str = ""

    def __truediv__(self, key: str | int) -> _Place:
        if isinstance(key, int):
            return _Place(self.file, f"{self.key}[{key + 1}]")
        quoted = key if key.replace("_", "").isalnum() else f'"{key}"'
        return _Place(self.file, f"{self.key}.{quoted}" if self.key else quoted)

    def error(self, words_: str, hint: str = "") -> UsageError:
        return UsageError(f"{self.file}: {self.key}: {words_}" if self.key else f"{self.file}: {words_}", hint)


def _known(place: _Place, given: Iterable[str], known: Collection[str]) -> None:
    for key in given:
        if key not in known:
            raise (place / key).error("there is no such key", _nearest(key, known))


def _nearest(word: str, known: Collection[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def _table(place: _Place, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise place.error("a table is wanted here")
    return value


def _tables(place: _Place, value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise place.error("this section is a list", f"write [[{place.key}]]")
    return [_table(place / at, entry) for at, entry in enumerate(value)]


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # a hexadecimal number may be longer than Python writes any
        return "a number of thousands of digits"


def _text(place: _Place, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise place.error(f"text is wanted here, not {_shown(value)}")
    return value


def _word(place: _Place, value: object, known: Collection[str]) -> str:
    word = _text(place, value)
    if word not in known:
        raise place.error(f"{word!r} is not one of the words that fit here", _nearest(word, known))
    return word


def _number(place: _Place, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise place.error(f"a number from 0 up is wanted here, not {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise place.error("this number is too large") from None


def _tier_rule(place: _Place, entry: Mapping[str, object]) -> TierRule:
    _known(place, entry, _TIER_KEYS)
    if "tier" not in entry:
        raise place.error("the rule names no tier", 'add tier = "…"')
    patterns = {key: _text(place / key, entry[key]) for key in _TIER_KEYS[:-1] if key in entry}
    if not patterns:
        raise place.error("the rule fits everything", "name a service, a scope, a span name or a peer")
    if "peer" in patterns and len(patterns) > 1:
        raise (place / "peer").error("a peer sends no spans: it goes with no other pattern")
    return TierRule(tier=_word(place / "tier", entry["tier"], words.TIERS), **patterns)


def _peer_rule(place: _Place, value: object) -> PeerRule:
    if isinstance(value, str):
        return PeerRule(tier=_word(place, value, words.TIERS))
    entry = _table(place, value)
    _known(place, entry, _PEER_KEYS)
    if not entry:
        raise place.error("neither a tier nor a service is named")
    tier = _word(place / "tier", entry["tier"], words.TIERS) if "tier" in entry else None
    return PeerRule(tier=tier, service=_text(place / "service", entry["service"]) if "service" in entry else None)


def _truth(place: _Place, value: object) -> bool:
    if not isinstance(value, bool):
        raise place.error(f"true or false is wanted here, not {_shown(value)}")
    return value


def _budget(place: _Place, entry: Mapping[str, object], number: int) -> Budget:
    _known(place, entry, _BUDGET_KEYS)
    allowed = {"percentile": PERCENTILES, "horizon": words.HORIZONS, "cause": words.CAUSES}
    texts = {
        key: _word(place / key, entry[key], allowed[key]) if key in allowed else _text(place / key, entry[key])
        for key in _BUDGET_KEYS[:-2]
        if key in entry
    }
    limits = {key: _number(place / key, entry[key]) for key in ("ms", "ratio") if key in entry}
    if len(limits) != 1:
        raise place.error("a budget has exactly one limit", "give either ms or ratio")
    texts.setdefault("name", texts.get("seam") or texts.get("filter") or f"budget {number}")
    return Budget(**texts, **limits)  # type: ignore[arg-type]  # checked key by key above


def _config(path: Path, document: Mapping[str, object]) -> Config:
    root = _Place(path)
    _known(root, document, _SECTIONS)
    section = {key: _table(root / key, document.get(key, {})) for key in ("phases", "peers", "essential", "redact")}
    lists = {key: _tables(root / key, document.get(key, [])) for key in ("tier", "budget")}
    tiers = tuple(_tier_rule(root / "tier" / at, entry) for at, entry in enumerate(lists["tier"]))
    phases = [(name, _word(root / "phases" / name, said, words.CAUSES)) for name, said in section["phases"].items()]
    return Config(
        rules=Rules(
            phases=(*phases, *SHIPPED_PHASES),
            tiers=tuple(rule for rule in tiers if rule.peer is None),
            redact=(
                *((key, _truth(root / "redact" / key, said)) for key, said in section["redact"].items()),
                *SHIPPED_SECRETS,
            ),
        ),
        tiers=tiers,
        peers=tuple((host.lower(), _peer_rule(root / "peers" / host, said)) for host, said in section["peers"].items()),
        essential=tuple((key, _truth(root / "essential" / key, said)) for key, said in section["essential"].items()),
        budgets=tuple(_budget(root / "budget" / at, entry, at + 1) for at, entry in enumerate(lists["budget"])),
        path=path,
    )


def load(path: Path | str | None = None) -> Config:
    """Read a configuration file.

    Args:
        path: a file named by the user; None reads `./seamscope.toml` where there is one.

    Raises:
        UsageError: a named file is missing or unreadable, or what it says does not fit; file, key and nearest
            known key are named.
        DataError: it is nested deeper than any rule.
    """
    named = path is not None
    file = Path(path) if path is not None else Path(DEFAULT_FILE)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if named:
            raise UsageError(f"{file}: no such file", "write one with `seamscope init`") from None
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: not TOML: {error}") from None
    except ValueError:
        raise UsageError(f"{file}: a number in it is too long to be read") from None
    except RecursionError:
        raise DataError(f"{file}: nested too deeply to be read", "rules are at most three deep") from None
    return _config(file, document)
