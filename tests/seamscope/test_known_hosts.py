"""What is known of hosts, by whom, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from seamscope import known_hosts
from seamscope.known_hosts import KEYS, KnownHosts
from seamscope.store import Store

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = {"peer": pl.String, "port": pl.Int32, "tier": pl.UInt8, "service": pl.String} | dict.fromkeys(KEYS, pl.UInt64)
WEB, ORDERS = ("web.internal", 80, 4, "web"), ("orders.internal", 80, 4, "orders")


def shown(*rows: tuple[tuple[str, int, int, str], int]) -> pl.DataFrame:
    return pl.DataFrame([(*fact, 9, trace) for fact, trace in rows], SCHEMA, orient="row")


def traces(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame([(9, number) for number in numbers], dict.fromkeys(KEYS, pl.UInt64), orient="row")


@pytest.mark.parametrize(
    ("again", "told", "goes"),
    [
        ([1], [], {"web.internal"}),
        ([1], [(WEB, 1)], set()),
        ([1, 5], [(WEB, 5)], set()),
        ([2], [], set()),
        ([1], [(("web.internal", 80, 4, "shop"), 1)], {"web.internal"}),
    ],
)
def test_what_its_witness_shows_no_more_goes_where_no_stored_call_shows_it(
    tmp_path: Path, again: list[int], told: list[tuple[tuple[str, int, int, str], int]], goes: set[str]
) -> None:
    hosts = KnownHosts()
    assert hosts.learn(shown((WEB, 1), (ORDERS, 2)), traces(1, 2)) == {"web.internal", "orders.internal"}
    before = hosts.version
    hosts.learn(shown(*told, *([(ORDERS, 2)] if 2 in again else [])), traces(*again))
    with Store.open(tmp_path / "empty.duckdb") as store:
        assert hosts.check(store) == goes
        assert hosts.check(store) == set()
    assert (hosts.peers.service("web.internal", 80) == (4, "web")) is (not goes)
    assert hosts.peers.service("orders.internal", 80) == (4, "orders")
    assert (hosts.version > before) is bool(goes)


def test_many_hosts_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_hosts, "MOST", 2)
    hosts = KnownHosts()
    assert len(hosts.learn(shown((WEB, 1), (ORDERS, 2), (("other", 80, 4, "other"), 2)))) == 2
    hosts = KnownHosts()
    hosts.learn(shown((WEB, 1), (ORDERS, 2)))
    assert hosts.learn(shown((WEB, 3), (("third", 80, 4, "third"), 3)), traces(3)) == set()
    assert hosts.peers.service("third", 80) is None
    assert hosts.peers.service(*WEB[:2]) == WEB[2:]
