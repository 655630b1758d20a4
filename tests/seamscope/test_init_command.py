"""`seamscope init`: what it writes can be read back, says what was seen, and overwrites nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from seamscope.cli import group
from seamscope.config import Config, PeerRule, TierRule, load
from seamscope.errors import SeamscopeError
from seamscope.results.seen import Seen, SeenCall, SeenPeer, SeenService
from seamscope.text.rules_toml import rules_toml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RULE = re.compile(r"^# (?=\[|\"|(?:service|scope|name|peer|tier) = )", re.MULTILINE)
ODD = 'a"b\\c\n\x1b[31m\u202e[x]*?\u3164\ufe0f\ud800'


def init(*arguments: str) -> str:
    done = CliRunner().invoke(group, ["init", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def uncommented(text: str, folder: Path) -> Config:
    """Read a file as it is when every rule of it is taken at its word."""
    file = folder / "uncommented.toml"
    file.write_text(RULE.sub("", text), encoding="utf-8")
    return load(file)


def test_init_golden(example_path: Path, golden: Callable[[str], None]) -> None:
    golden(init("--db", str(example_path), "--config", "-"))


def test_it_changes_nothing_until_somebody_changes_it(example_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "seamscope.toml"
    assert "4 services" in init("--db", str(example_path), "--config", str(file))
    read = load(file)
    assert (read.tiers, read.peers, read.essential, read.rules) == ((), (), (), Config().rules)


def test_every_line_of_it_is_a_rule_that_fits_what_was_seen(example_path: Path, tmp_path: Path) -> None:
    read = uncommented(init("--db", str(example_path), "--config", "-"), tmp_path)
    tiers = {service: read.service_tier(service) for service in ("web", "orders", "auth", "jobs")}
    assert tiers == {"web": "render", "orders": "origin", "auth": "origin", "jobs": "worker"}
    assert read.peer("postgres/app") == PeerRule(tier="data")
    assert read.is_essential("orders") is True
    assert set(read.rules.redact) == set(Config().rules.redact)


def test_odd_names_stay_names(tmp_path: Path) -> None:
    seen = Seen(
        services=(SeenService(ODD, ("unknown",)), SeenService("web", ("edge", "render"))),
        peers=(SeenPeer("10.0.3.7", "origin", ODD, 1), SeenPeer(ODD.lower(), "external", "x", 2)),
        calls=(SeenCall(ODD, 1),),
    )
    text = rules_toml(seen)
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert not {"\u3164", "\ufe0f"} & set(text)
    read = uncommented(text, tmp_path)
    name = ODD.replace("\ud800", "\ufffd")
    assert read.tiers[1] == TierRule(tier="edge", service="web")
    assert read.service_tier(name) == "unknown"
    assert read.service_tier(name.replace("*", "**")) is None
    assert read.peer("10.0.3.7") == PeerRule(tier="origin", service=name)
    assert read.peer(name.lower()) == PeerRule(tier="external")
    assert read.is_essential(name) is True


def test_a_file_that_is_there_is_left_alone(example_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "seamscope.toml"
    file.write_text("# mine\n", encoding="utf-8")
    with pytest.raises(SeamscopeError, match="is there already; --config - prints"):
        init("--db", str(example_path), "--config", str(file))
    assert file.read_text(encoding="utf-8") == "# mine\n"


def test_where_nothing_can_be_written_it_says_so(example_path: Path, tmp_path: Path) -> None:
    with pytest.raises(SeamscopeError, match="cannot be written: No such file or directory"):
        init("--db", str(example_path), "--config", str(tmp_path / "absent" / "seamscope.toml"))


def test_without_a_store_there_are_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEAMSCOPE_DB", raising=False)
    assert "examples only" in init()
    read = uncommented((tmp_path / "seamscope.toml").read_text(encoding="utf-8"), tmp_path)
    assert read.peer("flags.example.com") == PeerRule(tier="external")
    assert read.is_essential("announcements.internal") is False


def test_a_store_that_somebody_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(tmp_path / "seamscope.toml")
    with pytest.raises(SeamscopeError, match="absent"):
        init("--db", str(tmp_path / "absent.duckdb"), "--config", file)
    monkeypatch.setenv("SEAMSCOPE_DB", str(tmp_path / "absent.duckdb"))
    with pytest.raises(SeamscopeError, match="absent"):
        init("--config", file)
    assert not (tmp_path / "seamscope.toml").exists()


def test_json_names_what_was_seen(example_path: Path, tmp_path: Path) -> None:
    document = json.loads(init("--db", str(example_path), "--config", str(tmp_path / "x.toml"), "--json"))
    assert document["schema"] == "seamscope.init/1"
    assert {"service": "web", "tiers": ["render"]} in document["services"]
    assert {"host": "postgres/app", "tier": "data", "service": "postgres/app", "calls": 41} in document["peers"]
    assert (tmp_path / "x.toml").is_file()
