"""What `--record` keeps, and that it can be sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from collector.decoding.decode import Body
from collector.files import iter_bodies
from collector.recorder import Recorder
from seamscope.errors import StoreError
from tests.collector import traffic

if TYPE_CHECKING:
    from pathlib import Path


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
