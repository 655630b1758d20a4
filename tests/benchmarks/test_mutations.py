"""The short form of `python -m benchmarks.mutations`, and that its judge sees what is wrong."""

from __future__ import annotations

import random
from typing import Any

import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from benchmarks import mutations
from benchmarks.mutants import MESSAGES, SIGNALS, Mutant, Mutants, as_json, seeds
from benchmarks.mutations import judged

WHOLE = {signal: next(data for found, data in seeds() if found == signal) for signal in SIGNALS}


def test_mutants_are_answered_in_their_class() -> None:
    done = mutations.trial(1_500, seed=7)
    assert {name: done[name] for name in ("requests", "crashes", "wrong", "failures")} == {
        "requests": 1_500,
        "crashes": 0,
        "wrong": 0,
        "failures": 0,
    }
    assert all(done[name]["ok"] > 50 < done[name]["bad"] for name in mutations.TRANSPORTS)


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


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_mutants_are_many_and_of_a_seed(encoding: str) -> None:
    one, other = (Mutants(random.Random(5), encoding) for _ in range(2))  # noqa: S311 - no secret
    made = [one.next() for _ in range(300)]
    assert made == [other.next() for _ in range(300)]
    assert len({each.data for each in made}) > 250
    assert {each.signal for each in made} == set(SIGNALS)
