"""The short form of `python -m benchmarks.mutations`, and that its judge sees what is wrong."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from benchmarks import mutations
from benchmarks.mutants import MESSAGES, SIGNALS, Mutant, Mutants, as_json, seeds
from benchmarks.mutations import judged
from benchmarks.transports import TRANSPORTS

WHOLE = {signal: next(data for found, data in seeds() if found == signal) for signal in SIGNALS}


@pytest.mark.parametrize("collectors", [1, 2])
def test_mutants_are_answered_in_their_class(collectors: int) -> None:
    done = mutations.trial(1_500, seed=7, collectors=collectors)
    assert {name: done[name] for name in ("requests", "crashes", "wrong", "failures")} == {
        "requests": 1_500,
        "crashes": 0,
        "wrong": 0,
        "failures": 0,
    }
    assert all(done[name]["ok"] > 50 < done[name]["bad"] for name in TRANSPORTS)


@pytest.mark.parametrize("signal", SIGNALS)
def test_what_is_whole_must_be_taken_and_what_is_cut_refused(signal: Any) -> None:
    whole = WHOLE[signal]
    for encoding, data in (("protobuf", whole), ("json", as_json(signal, whole))):
        assert judged(Mutant(signal, encoding, data), "ok") == "ok"
        assert judged(Mutant(signal, encoding, data), "bad") == "wrong"
        cut = Mutant(signal, encoding, data[:-1])
        assert (judged(cut, "bad"), judged(cut, "ok")) == ("bad", "wrong")


def test_other_answers() -> None:
    whole = Mutant("traces", "protobuf", WHOLE["traces"])
    assert judged(whole, "later") == "later"
    assert judged(whole, "INTERNAL") == "wrong"
    group = Mutant("traces", "protobuf", whole.data + bytes([0x7B, 0x7C]))
    assert (judged(group, "bad"), judged(group, "ok")) == ("stricter", "ok")
    like_zlib = Mutant("traces", "protobuf", bytes([0x78, 0x01]) + whole.data)
    assert [judged(like_zlib, "bad", name) for name in ("grpc", "http/protobuf")] == ["stricter", "wrong"]
    half_a_pair = Mutant("traces", "json", as_json("traces", whole.data).replace(b'"name":', b'"\\ud800":', 1))
    assert judged(half_a_pair, "bad") == "bad"


def test_damage_in_what_is_passed_over_may_go_unseen_and_no_other() -> None:
    message = MESSAGES["metrics"].FromString(WHOLE["metrics"])
    points = message.resource_metrics[0].scope_metrics[0].metrics[1].sum.data_points
    assert points[0].exemplars
    exemplar = points[0].exemplars[0].SerializeToString()
    at = WHOLE["metrics"].index(exemplar)
    inside = bytearray(WHOLE["metrics"])
    inside[at] = 0xFF
    with pytest.raises(DecodeError):
        MESSAGES["metrics"].FromString(bytes(inside))
    assert judged(Mutant("metrics", "protobuf", bytes(inside)), "ok") == "ok"
    outside = bytearray(WHOLE["metrics"])
    outside[outside.index(b"db.client.connection.count") - 2] = 0xFF
    assert judged(Mutant("metrics", "protobuf", bytes(outside)), "ok") == "wrong"


def test_a_sender_that_fails_ends_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute:
        def __init__(self, *_: object) -> None: ...

        def say(self, _: object) -> list[str]:
            raise RuntimeError("mute")

    monkeypatch.setattr(mutations, "TRANSPORTS", {"http/json": ("json", Mute)})
    with pytest.raises(RuntimeError, match="mute"):
        mutations.driven([({}, os.getpid())], 10, seed=7, minutes=1)


def test_growth_is_what_it_held_after_the_first_requests_beyond_all_it_held_within_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent:
        def __init__(self, *_: object) -> None: ...

    monkeypatch.setattr(mutations, "TRANSPORTS", {"http/json": ("json", Silent)})
    held = iter((250.0, 420.0, 300.0, 390.0, 450.0, 400.0))
    monkeypatch.setattr(mutations, "resident_mib", lambda _: next(held))
    receiver = mutations.Receiver({}, os.getpid(), "7")
    told = []
    for answered in (0, 9, 10, 20, 30):
        receiver.drives[0].counts["requests"] = answered
        receiver.look()
        told.append(receiver.memory(10))
    assert [(each["warm_mib"], each["growth_mib"]) for each in told] == [
        (420, None), (420, None), (420, 0), (420, 30), (420, 30),
    ]  # fmt: skip
    assert told[-1]["held_mib"] == [335, 345, 450, 400]  # of 0 to 2, of 9 and 10, of 20, of 30 requests
    assert told[-1]["peaks_mib"] == [420, 390, 450, 400]


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_mutants_are_many_and_of_a_seed(encoding: str) -> None:
    one, other = (Mutants(random.Random(5), encoding) for _ in range(2))  # noqa: S311 - no secret
    made = [one.next() for _ in range(300)]
    assert made == [other.next() for _ in range(300)]
    assert len({each.data for each in made}) > 250
    assert {each.signal for each in made} == set(SIGNALS)
