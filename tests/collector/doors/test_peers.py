"""What one address may have in flight."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import grpc
import pytest

from collector.doors.otlp_status import Refusal, export_reply, status_bytes
from collector.doors.peers import BusyPeerError, Peers

if TYPE_CHECKING:
    from collector.doors.otlp_status import Encoding


def test_one_address_cannot_take_all_calls() -> None:
    peers = Peers(calls=2, all_calls=3)
    with ExitStack() as calls:
        for host in ("a", "a", "b"):
            calls.enter_context(peers.call(host))
        for host in ("a", "c"):  # its own share is used up; all is
            with pytest.raises(BusyPeerError), peers.call(host):
                pass
    with peers.call("a"), peers.call("a"), peers.call("c"):
        pass


def test_one_address_cannot_fill_the_queue() -> None:
    peers = Peers(queue_bytes=100)
    with peers.call("a") as first, peers.call("a") as second, peers.call("b") as other:
        first.grow(70)
        with pytest.raises(BusyPeerError):
            second.grow(6)
        second.grow(5)
        other.grow(75)
    with peers.call("a") as again:
        again.grow(60)
        again.grow(60)  # a request alone may be as large as the doors take it


def test_an_address_that_is_done_leaves_nothing_behind() -> None:
    peers = Peers()
    for number in range(3):
        with peers.call(str(number)) as share:
            share.grow(number)
    assert not peers._calls
    assert not peers._bytes


def test_words_for_a_sender_are_bounded() -> None:
    """However much there is to say, a reply stays far below the 4 MiB that a sender takes."""
    long = "x" * 10_000_000
    encodings: tuple[Encoding, ...] = ("protobuf", "json")
    for encoding in encodings:
        told = status_bytes(Refusal(grpc.StatusCode.INVALID_ARGUMENT, long), encoding)
        reply = export_reply("traces", {long: 1, "b": 2}, long, encoding)
        assert max(len(told), len(reply)) < 16 * 1024
