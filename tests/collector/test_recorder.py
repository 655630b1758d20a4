"""What `--record` keeps, and that it can be sent again."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from collector.decoding.decode import Body
from collector.files import delimited, iter_bodies
from collector.recorder import Recorder
from seamscope.errors import StoreError
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def record(folder: Path, bodies: list[Body]) -> Path:
    """Add bodies to what is recorded; give the file that they are in."""
    recorder = Recorder(folder)
    recorder.write(bodies)
    recorder.close()
    return folder / f"traces.{'otlp.pb' if bodies[0].encoding == 'protobuf' else 'otlp.ndjson'}"


def test_bodies_come_back_as_they_were_received(tmp_path: Path) -> None:
    bodies = [Body(traffic.spans(8, seed=seed).SerializeToString(), "protobuf", "traces") for seed in range(3)]
    recorder = Recorder(tmp_path / "kept")
    recorder.write(bodies[:1])
    assert [body.data for body in iter_bodies(tmp_path / "kept" / "traces.otlp.pb")] == [bodies[0].data]  # flushed
    recorder.write(bodies[1:])
    recorder.close()
    assert list(iter_bodies(tmp_path / "kept" / "traces.otlp.pb")) == bodies


def test_json_bodies_are_a_line_each(tmp_path: Path) -> None:
    pretty = b'{\r\n  "resourceSpans": [\n  ]\n}'
    recorder = Recorder(tmp_path)
    recorder.write([Body(pretty, "json", "traces")] * 2)
    recorder.close()
    lines = (tmp_path / "traces.otlp.ndjson").read_bytes().splitlines()
    assert len(lines) == 2
    assert b"".join(lines[0].split()) == b"".join(pretty.split())


def test_a_later_recording_is_added(tmp_path: Path) -> None:
    body = Body(traffic.logs(2).SerializeToString(), "protobuf", "logs")
    for _ in range(2):
        recorder = Recorder(tmp_path)
        recorder.write([body])
        recorder.close()
    assert list(iter_bodies(tmp_path / "logs.otlp.pb")) == [body, body]


TRACES = [Body(traffic.spans(8, seed=seed).SerializeToString(), "protobuf", "traces") for seed in range(4)]
LINES = [Body(traffic.as_json(traffic.spans(8, seed=seed)), "json", "traces") for seed in range(4)]


@pytest.mark.parametrize("bodies", [TRACES, LINES], ids=["protobuf", "json"])
@pytest.mark.parametrize("lost", ["a byte", "half a body", "all but a byte", "the whole body"])
def test_a_body_that_was_cut_short_goes_before_the_next(tmp_path: Path, bodies: list[Body], lost: str) -> None:
    place = record(tmp_path, bodies[:2])
    begin, size = len(place.read_bytes()), len(record(tmp_path, bodies[2:3]).read_bytes())
    kept = {
        "a byte": size - 1,
        "half a body": (begin + size) // 2,
        "all but a byte": begin + 1,
        "the whole body": begin,
    }
    os.truncate(place, kept[lost])
    torn = place.read_bytes()[begin:]
    record(tmp_path, bodies[3:])
    aside = sorted(tmp_path.glob("*.cut-*"))
    assert [(each.read_bytes(), each.stat().st_mode & 0o777) for each in aside] == ([(torn, 0o600)] if torn else [])
    said: list[str] = []
    assert list(iter_bodies(place, said.append)) == [*bodies[:2], bodies[3]]
    assert said == []


def test_a_recording_without_a_whole_body_is_put_aside(tmp_path: Path) -> None:
    for name, torn, bodies in (("otlp.pb", b"\xff", TRACES), ("otlp.ndjson", b"{" * 3_000_000, LINES)):
        (tmp_path / f"traces.{name}").write_bytes(torn)
        (tmp_path / f"traces.{name}.cut-1").write_bytes(b"of another time")
        assert list(iter_bodies(record(tmp_path, bodies))) == bodies
        assert (tmp_path / f"traces.{name}.cut-1").read_bytes() == b"of another time"
        assert (tmp_path / f"traces.{name}.cut-2").read_bytes() == torn


@pytest.mark.parametrize("zeros", [17, 3_000_000])
def test_zeros_at_the_end_are_put_aside_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zeros: int
) -> None:
    """A file system leaves them of what was not written before the power went."""
    place = record(tmp_path, TRACES[:1])
    with place.open("ab") as file:
        file.write(bytes(zeros))
    reads = mock.Mock(side_effect=os.pread)
    monkeypatch.setattr(os, "pread", reads)
    record(tmp_path, TRACES[1:2])
    assert reads.call_count < 100
    assert list(iter_bodies(place)) == TRACES[:2]
    assert place.with_name(f"{place.name}.cut-1").read_bytes() == bytes(zeros)


def test_empty_bodies_are_kept_and_so_is_what_follows_a_run_of_zeros(tmp_path: Path) -> None:
    place = record(tmp_path, TRACES[:1])
    with place.open("ab") as file:
        file.write(bytes(100_000) + delimited(TRACES[1].data, b"", b""))
    record(tmp_path, TRACES[2:3])
    assert [body.data for body in iter_bodies(place)] == [*(each.data for each in TRACES[:2]), b"", b"", TRACES[2].data]
    assert not list(tmp_path.glob("*.cut-*"))


@pytest.fixture
def room() -> Iterator[Callable[[int], None]]:
    """Bound how long a file may get; what is beyond ends as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("bodies", [TRACES, LINES], ids=["protobuf", "json"])
def test_a_full_disk_leaves_whole_bodies_and_once_there_is_room_it_goes_on(
    tmp_path: Path, bodies: list[Body], room: Callable[[int], None]
) -> None:
    place = record(tmp_path, bodies[:1])
    recorder = Recorder(tmp_path)
    room(place.stat().st_size + len(bodies[1].data) // 2)
    for _ in range(2):
        with pytest.raises(OSError, match="large"):
            recorder.write(bodies[1:3])
        assert list(iter_bodies(place)) == bodies[:1]
    room(1 << 30)
    recorder.write(bodies[3:])
    recorder.close()
    assert list(iter_bodies(place)) == [bodies[0], bodies[3]]


def test_what_cannot_be_put_aside_stays_and_takes_no_more_room(tmp_path: Path, room: Callable[[int], None]) -> None:
    place = record(tmp_path, TRACES[:1])
    torn = place.read_bytes() + b"\xff" * 1000
    place.write_bytes(torn)
    recorder = Recorder(tmp_path)
    room(500)
    for _ in range(2):
        with pytest.raises(OSError, match="large"):
            recorder.write(TRACES[1:2])
    assert (list(tmp_path.iterdir()), place.read_bytes()) == ([place], torn)
    room(1 << 30)
    recorder.write(TRACES[1:2])
    recorder.close()
    assert list(iter_bodies(place)) == TRACES[:2]


def test_a_recorder_closes_on_a_disk_that_is_full(tmp_path: Path, room: Callable[[int], None]) -> None:
    recorder = Recorder(tmp_path)
    room(1)
    with pytest.raises(OSError, match="large"):
        recorder.write([Body(b"", "protobuf", "traces"), *TRACES])
    recorder.close()
    assert (tmp_path / "traces.otlp.pb").read_bytes() == b"\0"


def test_what_is_kept_is_its_owners_alone(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "kept")
    recorder.write([Body(b"", "protobuf", "traces")])
    recorder.close()
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0
    assert (tmp_path / "kept" / "traces.otlp.pb").stat().st_mode & 0o077 == 0


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "traces.otlp.pb").symlink_to(tmp_path / "elsewhere")
    recorder = Recorder(tmp_path)
    with pytest.raises(OSError, match="symbolic"):
        recorder.write([Body(b"x", "protobuf", "traces")])
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("away", ["moved", "removed", "replaced", "folder removed"])
def test_a_recording_that_is_taken_away_is_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, away: str
) -> None:
    folder, kept = tmp_path / "kept", tmp_path / "rotated"
    place = folder / "traces.otlp.pb"
    recorder = Recorder(folder)
    recorder.write(TRACES[:1])
    place.rename(kept)
    if away == "removed":
        kept.unlink()
    if away == "replaced":
        place.touch()
    if away == "folder removed":
        folder.rmdir()
    recorder.write(TRACES[1:2])
    recorder.write(TRACES[2:3])
    recorder.close()
    assert list(iter_bodies(place)) == TRACES[1:3]
    assert away == "removed" or list(iter_bodies(kept)) == TRACES[:1]
    assert [each.getMessage() for each in caplog.records] == [
        f"{place} was moved or removed; recording goes on in a new one"
    ]


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot record"):
        Recorder(tmp_path / "file" / "below")


def test_the_collector_keeps_what_it_stored_and_not_what_it_could_not_read(tmp_path: Path) -> None:
    good = traffic.spans(8)
    with traffic.running(tmp_path, record=tmp_path / "kept") as collector:
        traffic.call(collector.grpc, good.SerializeToString(), compressed=True)
        traffic.call(collector.grpc, b"\xff\xff")
        traffic.post(
            collector.http, traffic.zipped(traffic.as_json(good)), {**traffic.JSON, "content-encoding": "gzip"}
        )
    assert [body.data for body in iter_bodies(tmp_path / "kept" / "traces.otlp.pb")] == [good.SerializeToString()]
    assert [body.data for body in iter_bodies(tmp_path / "kept" / "traces.otlp.ndjson")] == [traffic.as_json(good)]
