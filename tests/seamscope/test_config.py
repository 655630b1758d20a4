"""seamscope.toml: what is read, and what an error tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seamscope.config import SHIPPED_PHASES, SHIPPED_SECRETS, Budget, Config, PeerRule, Rules, TierRule, load
from seamscope.errors import DataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
[[tier]]
service = "web-*"
name = "middleware *"
tier = "edge"

[[tier]]
service = "web-*"
tier = "render"

[[tier]]
scope = "my.worker"
tier = "worker"

[[tier]]
peer = "*.cache.internal"
tier = "data"

[phases]
"hikari.getConnection" = "pool_wait"
"* handshake" = "tls"

[peers]
"Flags.Example.com" = "external"
"10.0.3.7" = { service = "orders", tier = "origin" }

[essential]
"announcements.internal" = false
"GET /v1/me" = true

[[budget]]
filter = "route:/dash"
cause = "pool_wait"
ms = 20

[[budget]]
name = "gap"
seam = "render:web→origin:orders"
percentile = "p99"
ratio = 0.1
"""


def _written(folder: Path, text: str) -> Path:
    file = folder / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_whole_file(tmp_path: Path) -> None:
    file = _written(tmp_path, WHOLE)
    config = load(file)
    assert config.path == file
    assert config.tiers == (
        TierRule(tier="edge", service="web-*", name="middleware *"),
        TierRule(tier="render", service="web-*"),
        TierRule(tier="worker", scope="my.worker"),
        TierRule(tier="data", peer="*.cache.internal"),
    )
    assert config.rules.tiers == config.tiers[:3]
    assert config.rules.phases == (("hikari.getConnection", "pool_wait"), ("* handshake", "tls"), *SHIPPED_PHASES)
    assert config.peers == (
        ("flags.example.com", PeerRule(tier="external")),
        ("10.0.3.7", PeerRule(tier="origin", service="orders")),
    )
    assert config.essential == (("announcements.internal", False), ("GET /v1/me", True))
    assert config.budgets == (
        Budget(name="route:/dash", filter="route:/dash", cause="pool_wait", ms=20.0),
        Budget(name="gap", seam="render:web→origin:orders", percentile="p99", ratio=0.1),
    )


def test_the_first_rule_that_fits_wins(tmp_path: Path) -> None:
    config = load(_written(tmp_path, WHOLE))
    assert config.rules.tier("web-1", "next.js", "middleware GET") == "edge"
    assert config.rules.tier("web-1", "next.js", "GET /dash") == "render"
    assert config.rules.tier("jobs", "my.worker", "run") == "worker"
    assert config.rules.tier("orders", "x", "GET /dash") is None
    assert config.service_tier("web-1") == "render"
    assert config.service_tier("orders") is None


def test_peers_and_essential_calls(tmp_path: Path) -> None:
    config = load(_written(tmp_path, WHOLE))
    assert config.peer("flags.example.com") == PeerRule(tier="external")
    assert config.peer("a.cache.internal") == PeerRule(tier="data")
    assert config.peer("b.example.com") is None
    assert config.is_essential(None, "announcements.internal") is False
    assert config.is_essential("orders", "GET /v1/me") is True
    assert config.is_essential(None, "GET /v1/org") is None


def test_phase_names(tmp_path: Path) -> None:
    rules = load(_written(tmp_path, WHOLE)).rules
    assert rules.phase("db.pool.wait") == "pool_wait"
    assert rules.phase("smtp handshake") == "tls"
    assert rules.phase("handshake") is None


def test_secrets(tmp_path: Path) -> None:
    rules = load(_written(tmp_path, '[redact]\n"user.*" = true\n"page_token" = false\n')).rules
    assert rules.redact == (("user.*", True), ("page_token", False), *SHIPPED_SECRETS)


def test_a_secret_is_one_or_not(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'redact\."user\.email": true or false is wanted here, not \'no\''):
        load(_written(tmp_path, '[redact]\n"user.email" = "no"\n'))


def test_without_a_file_the_shipped_rules_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load() == Config()
    assert Config().rules == Rules()
    assert Rules().phase("db.pool.wait") == "pool_wait"


def test_the_default_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seamscope.toml").write_text('[peers]\n"a" = "data"\n', encoding="utf-8")
    assert load().peer("a") == PeerRule(tier="data")


def test_rules_can_be_keys_of_a_cache() -> None:
    assert len({Rules(), Rules(), Rules(phases=())}) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[tiers]]\n", ("tiers: there is no such key", "did you mean 'tier'?")),
        ("[tier]\nservice = 'a'\ntier = 'edge'\n", ("tier: this section is a list", "[[tier]]")),
        ("[[tier]]\nservise = 'a'\n", ("tier[1].servise", "did you mean 'service'?")),
        ("[[tier]]\nservice = 'a'\ntier = 'orign'\n", ("tier[1].tier", "'orign'", "did you mean 'origin'?")),
        ("[[tier]]\nservice = 'a'\n", ("tier[1]: the rule names no tier",)),
        ("[[tier]]\ntier = 'edge'\n", ("tier[1]: the rule fits everything",)),
        ("[[tier]]\nservice = 3\ntier = 'edge'\n", ("tier[1].service: text is wanted here, not 3",)),
        ("[[tier]]\npeer = 'a'\nname = 'b'\ntier = 'edge'\n", ("tier[1].peer: a peer sends no spans",)),
        ("[phases]\n'db.wait' = 'poolwait'\n", ('phases."db.wait"', "did you mean 'pool_wait'?")),
        ("phases = 3\n", ("phases: a table is wanted here",)),
        ("[peers]\n'a.b' = 'outside'\n", ('peers."a.b"', "known: unknown, browser")),
        ("[peers]\n'a.b' = { tire = 'edge' }\n", ('peers."a.b".tire', "did you mean 'tier'?")),
        ("[peers]\n'a.b' = {}\n", ("neither a tier nor a service",)),
        ("[essential]\n'a.b' = 'no'\n", ("true or false is wanted here, not 'no'",)),
        ("[[budget]]\nfilter = 'x'\n", ("budget[1]: a budget has exactly one limit",)),
        ("[[budget]]\nms = 1\nratio = 0.1\n", ("exactly one limit",)),
        ("[[budget]]\nms = true\n", ("budget[1].ms: a number from 0 up",)),
        ("[[budget]]\nms = -1\n", ("a number from 0 up",)),
        (f"[[budget]]\nms = 1{'0' * 400}\n", ("budget[1].ms: this number is too large",)),
        (f"[[budget]]\nms = 1{'0' * 5_000}\n", ("a number in it is too long to be read",)),
        (f"[[budget]]\nname = 0x{'f' * 5_000}\n", ("text is wanted here, not a number of thousands of digits",)),
        ("[[budget]]\nms = 5\npercentile = 'p9'\n", ("budget[1].percentile", "did you mean 'p9")),
        ("tier = [", ("not TOML",)),
    ],
)
def test_errors_name_file_key_and_what_was_meant(tmp_path: Path, text: str, said: tuple[str, ...]) -> None:
    file = _written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)
    for part in said:
        assert part in str(caught.value)


def test_a_named_file_that_is_missing_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load(tmp_path / "absent.toml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        load(file)
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    assert load(_written(tmp_path, "\ufeff[redact]\nname = true")).rules.redact[0] == ("name", True)


def test_what_is_nested_too_deeply_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rules\.toml: nested too deeply"):
        load(_written(tmp_path, f"tier = {'[' * 10_000}"))
