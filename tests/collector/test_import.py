"""`seamscope import` as people and scripts see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from collector import importing
from collector.decoding.decode import Body
from collector.files import delimited
from seamscope import cli
from seamscope.store import StoreFile
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Said:
    """Give a function that runs `seamscope import` here, in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEAMSCOPE_DB", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli._call(["import", *map(str, arguments)])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def spans_in(db: Path) -> int:
    with StoreFile.open(db) as store:
        return int(store.query("SELECT count(*) AS n FROM spans")["n"][0])


def recorded(path: Path, *bodies: bytes) -> Path:
    path.write_bytes(delimited(*bodies))
    return path


def test_files_of_several_forms_end_in_one_store(tmp_path: Path, said: Said) -> None:
    recorded(tmp_path / "a.pb", *(traffic.spans(4, seed).SerializeToString() for seed in range(3)))
    (tmp_path / "b.json").write_bytes(traffic.as_json(traffic.spans(5, 9)))
    (tmp_path / "c.ndjson").write_bytes(
        b"\n".join(traffic.as_json(each) for each in (traffic.logs(2), traffic.metrics(3)))
    )
    code, out, err = said("a.pb", "b.json", "c.ndjson", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["accepted"] == {"traces": 17, "logs": 2, "metrics": 3}
    assert (told["files"], told["requests"], told["rejected"], told["failed"]) == (3, 6, {}, {})
    assert told["analysis"]["spans"] == 17
    assert spans_in(tmp_path / "seamscope.duckdb") == 17


def test_what_comes_twice_is_stored_once(tmp_path: Path, said: Said) -> None:
    recorded(tmp_path / "a.pb", traffic.spans(4).SerializeToString())
    assert said("a.pb", "--db", "s.duckdb")[0] == 0
    code, out, _ = said("a.pb", "--db", "s.duckdb")
    assert code == 0
    assert "4 items were there before" in out
    assert spans_in(tmp_path / "s.duckdb") == 4


def test_a_group_of_tiny_bodies_is_bounded_by_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "GROUP_BYTES", 3 * importing.BODY_HELD_BYTES)
    bodies = [Body(b"", "protobuf", "traces")] * 7
    assert [len(group) for group in importing.groups(bodies)] == [3, 3, 1]


def test_rejected_spans_are_counted_by_reason(tmp_path: Path, said: Said) -> None:
    request = traffic.spans(5)
    spans = request.resource_spans[0].scope_spans[0].spans
    spans[0].trace_id, spans[1].trace_id, spans[2].span_id = b"x", b"y", bytes(8)
    recorded(tmp_path / "a.pb", request.SerializeToString())
    code, out, _ = said("a.pb", "--no-analyze")
    assert code == 0
    assert out.splitlines() == [
        "2 spans accepted from 1 requests",
        "  2 rejected: trace_id_length",
        "  1 rejected: span_id_zero",
    ]


def test_a_bad_file_among_good_ones_costs_only_itself(tmp_path: Path, said: Said) -> None:
    (tmp_path / "bad.txt").write_text("no trace at all")
    recorded(tmp_path / "good.pb", traffic.spans(4).SerializeToString())
    code, out, err = said("bad.txt", "missing.pb", "good.pb", "--no-analyze")
    assert code == 3
    assert out.splitlines()[0] == "4 spans accepted from 1 requests"
    assert [line.startswith("seamscope: ") for line in err.splitlines()] == [True, True]
    assert "bad.txt" in err
    assert "missing.pb" in err


def test_names_of_files_are_not_obeyed(tmp_path: Path, said: Said) -> None:
    names = [f"{number}\x1b]0;owned\x07\u202e.txt" for number in range(2)]
    for name in names:
        (tmp_path / name).write_text("no trace at all")
    recorded(tmp_path / "\x1b[2J.pb", traffic.spans(4).SerializeToString())
    _, out, err = said(*names, "\x1b[2J.pb", "--no-analyze", "--db", "\x1b[2J.duckdb")
    assert "\\x1b]0;owned\\x07\\u202e.txt" in err
    assert len(err.splitlines()) == 2
    assert not {"\x1b", "\x07", "\u202e"} & set(out + err)


@pytest.mark.parametrize("content", [None, b"", b"no trace at all", b'{"data":[{"traceID":"a"}]}'])
def test_nothing_to_read_is_one_line_and_leaves_no_store(tmp_path: Path, said: Said, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    code, out, err = said("file")
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("seamscope: ")
    assert not (tmp_path / "seamscope.duckdb").exists()


def test_damage_is_told_and_what_lies_before_it_kept(tmp_path: Path, said: Said) -> None:
    path = recorded(tmp_path / "a.pb", *(traffic.spans(4, seed).SerializeToString() for seed in range(2)))
    path.write_bytes(path.read_bytes()[:-7])
    code, out, _ = said("a.pb", "--no-analyze")
    assert code == 0
    assert "4 spans accepted from 1 requests" in out
    assert "cut off" in out


def test_requests_that_cannot_be_read_are_counted(tmp_path: Path, said: Said) -> None:
    recorded(
        tmp_path / "a.pb", traffic.spans(4).SerializeToString(), b"\x0b\x0c", traffic.spans(2, 1).SerializeToString()
    )
    code, out, _ = said("a.pb", "--no-analyze", "--json")
    told = json.loads(out)
    assert (code, told["accepted"], told["unreadable_requests"]) == (0, {"traces": 6}, 1)
    assert any("group" in message for message in told["messages"])


def test_an_item_bomb_is_counted_and_harms_nothing(tmp_path: Path, said: Said) -> None:
    spans = b"\x12\x00" * 1_200_000
    scope = b"\x12" + _size(len(spans)) + spans
    bomb = b"\x0a" + _size(len(scope)) + scope
    recorded(tmp_path / "a.pb", traffic.spans(4).SerializeToString(), bomb, traffic.spans(2, 1).SerializeToString())
    told = json.loads(said("a.pb", "--no-analyze", "--json")[1])
    assert (told["accepted"], told["unreadable_requests"]) == ({"traces": 6}, 1)


def _size(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def test_a_remote_store_is_not_written(said: Said) -> None:
    code, _, err = said("x", "--db", "grpc://127.0.0.1:1")
    assert code == 2
    assert "replay" in err


def test_beside_a_live_collector_it_is_the_one_that_stores(tmp_path: Path, said: Said) -> None:
    recorded(tmp_path / "a.pb", traffic.spans(6).SerializeToString(), b"\x0b\x0c")
    with traffic.running(tmp_path) as collector:
        code, out, err = said("a.pb", "--db", collector.store.path, "--json")
        assert (code, err) == (0, "")
        told = json.loads(out)
        assert (told["accepted"], told["unreadable_requests"]) == ({"traces": 6}, 1)
        assert traffic.count(collector.store, "spans") == 6


def test_beside_a_live_collector_the_same_is_told_as_of_a_file(tmp_path: Path, said: Said) -> None:
    """But for what was there before, which a collector does not tell."""
    cut = traffic.spans(1)
    value = cut.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="k").value
    value.string_value = "v" * 1_000_000
    recorded(tmp_path / "a.pb", cut.SerializeToString(), traffic.spans(2, 1).SerializeToString())
    into_file = json.loads(said("a.pb", "--db", "file.duckdb", "--no-analyze", "--json")[1])
    with traffic.running(tmp_path) as collector:
        told = json.loads(said("a.pb", "--db", collector.store.path, "--no-analyze", "--json")[1])
    assert told["notes"] == {"cut_value": 1}
    assert told == {**into_file, "duplicates": None}


def test_a_body_that_the_collector_does_not_take_costs_only_itself(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = (traffic.spans(count).SerializeToString() for count in (2, 40))
    recorded(tmp_path / "a.pb", small, large, traffic.spans(3, 1).SerializeToString())
    monkeypatch.setattr("collector.doors.query_handlers.BODY_BYTES", len(large) - 1)
    with traffic.running(tmp_path) as collector:
        code, out, err = said("a.pb", "--db", collector.store.path, "--no-analyze", "--json")
    told = json.loads(out)
    assert (code, err, told["failed"]) == (0, "", {})
    assert (told["requests"], told["accepted"], told["unreadable_requests"]) == (3, {"traces": 5}, 1)
    assert any("a request body of more than" in message for message in told["messages"])


def test_complaints_are_bounded() -> None:
    tally = importing.Tally()
    for number in range(100):
        tally.complain(f"complaint {number}")
        tally.complain("complaint 0")
    assert len(tally.messages) == importing.MESSAGES
    assert tally.messages["complaint 0"] == 101


def test_groups_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "GROUP_BYTES", 10)
    monkeypatch.setattr(importing, "BODY_HELD_BYTES", 0)
    bodies = [Body(bytes(size), "protobuf", "traces") for size in (4, 6, 1, 20, 1)]
    assert [[len(body.data) for body in group] for group in importing.groups(bodies)] == [[4, 6], [1], [20], [1]]
    assert list(importing.groups([])) == []


def test_rules_of_the_operator_are_read(tmp_path: Path, said: Said) -> None:
    (tmp_path / "seamscope.toml").write_text("nonsense = [")
    recorded(tmp_path / "a.pb", traffic.spans(1).SerializeToString())
    code, _, err = said("a.pb")
    assert code != 0
    assert "seamscope.toml" in err
