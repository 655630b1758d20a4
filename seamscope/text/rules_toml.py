"""A `seamscope.toml` to begin with: every line a comment, filled in with what a store has seen.

Uncommented as it stands, each line says what was found anyway, so that whoever changes one changes just that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seamscope.config import SHIPPED_PHASES, SHIPPED_SECRETS
from seamscope.text.safe import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seamscope.results.seen import Seen, SeenPeer

_HEAD: Final = """\
# What you know and the spans do not say. Every line is a comment: take away the '#' of those that you change.
# Patterns are shell-style ('*', '?', '[a-z]'). A changed rule takes effect with `seamscope analyze --all`, a collector
# reads its rules when it starts.
"""
_TIERS: Final = """
# Where code runs, the first rule that fits wins: browser, edge, render, origin, data, external, worker.
# By any of service, scope and name (of spans; all that are given must fit), or by peer (a host that is called).
"""
_PHASES: Final = """
# Names of your own spans that are a wait or a phase of a call: dns, connect, tls, pool_wait, send, query, …
# [phases]
"""
_PEERS: Final = """
# Hosts that send no spans: a tier, or which of your services they are.
# [peers]
"""
_ESSENTIAL: Final = """
# Calls that a page needs (true), or survives without (false); by host, service or operation. What is false and holds a
# page up is the finding nonessential_block.
# [essential]
"""
_REDACT: Final = """
# Attributes whose values are struck out before they are stored (true) or kept (false): by key, the first that fits
# wins. Only '*' and '?' are patterns here; case does not matter, nor '_' and '-'. What is stored stays as it is.
# [redact]
"""
_EXAMPLE_TIERS: Final = '# [[tier]]\n# service = "edge-*"\n# tier = "edge"\n'
_EXAMPLE_PEERS: Final = '# "flags.example.com" = "external"\n# "10.0.3.7" = { service = "orders", tier = "origin" }\n'
_EXAMPLE_ESSENTIAL: Final = '# "announcements.internal" = false\n'


def rules_toml(seen: Seen) -> str:
    """Give the text of the file; where nothing was seen of a kind, an example stands for it."""
    tiers = "#\n".join(_tier(one.service, one.tiers) for one in seen.services)
    peers = "".join(map(_peer, seen.peers))
    calls = "".join(f"# {_pattern(one.host)} = true  # {_counted(one.requests, 'request')}\n" for one in seen.calls)
    sections = (_TIERS, tiers or _EXAMPLE_TIERS, _PHASES, *_phases(), _PEERS, peers or _EXAMPLE_PEERS)
    return "".join((_HEAD, *sections, _ESSENTIAL, calls or _EXAMPLE_ESSENTIAL, _REDACT, *_secrets()))


def _phases() -> Iterator[str]:
    for name, cause in SHIPPED_PHASES:
        yield f"# {_pattern(name)} = {_quoted(cause)}  # this one is shipped\n"


def _secrets() -> Iterator[str]:
    for pattern, _ in SHIPPED_SECRETS:
        yield f"# {_quoted(pattern)} = true  # this one is shipped\n"


def _tier(service: str, tiers: Sequence[str]) -> str:
    others = f"  # and {', '.join(tiers[1:])}: tell them apart by scope or name" if tiers[1:] else ""
    said = "  # nothing said where it runs" if tiers[0] == "unknown" and not others else others
    return f"# [[tier]]\n# service = {_pattern(service)}\n# tier = {_quoted(tiers[0])}{said}\n"


def _peer(peer: SeenPeer) -> str:
    is_itself = peer.service in {"", peer.host} or peer.tier in {"external", "data"}
    said = _quoted(peer.tier) if is_itself else f"{{ service = {_quoted(peer.service)}, tier = {_quoted(peer.tier)} }}"
    return f"# {_pattern(peer.host)} = {said}  # {_counted(peer.calls, 'call')}\n"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _pattern(text: str) -> str:
    """Give a pattern that fits this text alone, as TOML."""
    return _quoted("".join(f"[{letter}]" if letter in "*?[" else letter for letter in text))


def _quoted(text: str) -> str:
    """Give a TOML string of one line; what is not printable, or hides, is written as its number."""
    plain = (letter if _is_plain(letter) else _escaped(letter) for letter in text)
    return f'"{"".join(plain)}"'


def _is_plain(letter: str) -> bool:
    return letter.isprintable() and letter not in '"\\' and safe(letter) == letter


def _escaped(letter: str) -> str:
    number = ord(letter)
    return f"\\{letter}" if letter in '"\\' else f"\\U{0xFFFD if 0xD800 <= number < 0xE000 else number:08x}"
