"""Files in every form people have, and what becomes of damaged ones."""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
from typing import TYPE_CHECKING

import pytest
import zstandard

from collector.decoding.decode import Body
from collector.files import EMPTY_BODIES, delimited, iter_bodies
from collector.unpacked import INFLATED_BYTES
from seamscope.errors import DataError
from tests.collector import traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ONE, TWO = (traffic.spans(3, seed).SerializeToString() for seed in (1, 2))
TEXT = traffic.as_json(traffic.spans(2))


def read(tmp_path: Path, content: bytes, name: str = "file") -> tuple[list[Body], list[str]]:
    """Return the bodies of a file of this content, and what was said of its damage."""
    path = tmp_path / name
    path.write_bytes(content)
    said: list[str] = []
    return list(iter_bodies(path, said.append)), said


def identity(data: bytes) -> bytes:
    return data


PACKINGS = pytest.mark.parametrize(
    "pack", [identity, gzip.compress, zstandard.ZstdCompressor().compress], ids=["plain", "gzip", "zstd"]
)


@PACKINGS
@pytest.mark.parametrize(
    ("content", "bodies"),
    [
        (ONE, [Body(ONE, "protobuf", "traces")]),
        (delimited(ONE), [Body(ONE, "protobuf", "traces")]),
        (delimited(ONE, TWO, b"", ONE), [Body(each, "protobuf", "traces") for each in (ONE, TWO, b"", ONE)]),
        (TEXT, [Body(TEXT, "json", "traces")]),
        (b"\xef\xbb\xbf \n" + TEXT + b"\n", None),
        (json.dumps(json.loads(TEXT), indent=2).encode(), None),
        (TEXT + b"\n" + TEXT, [Body(TEXT, "json", "traces")] * 2),
        (b"\n" + TEXT + b"\r\n\r\n" + TEXT + b"\n", [Body(TEXT, "json", "traces")] * 2),
        (b"", []),
    ],
    ids=["request", "delimited", "several", "json", "mark", "pretty", "ndjson", "blanks", "empty"],
)
def test_forms(tmp_path: Path, pack: Callable[[bytes], bytes], content: bytes, bodies: list[Body] | None) -> None:
    found, said = read(tmp_path, pack(content))
    assert said == []
    if bodies is None:
        (body,) = found
        assert (body.encoding, body.signal) == ("json", "traces")
        assert json.loads(body.data.decode("utf-8-sig")) == json.loads(TEXT)
    else:
        assert found == bodies


def test_signals_are_told_by_content(tmp_path: Path) -> None:
    logs, metrics = traffic.logs(2), traffic.metrics(2)
    for message, signal in ((logs, "logs"), (metrics, "metrics"), (traffic.spans(1), "traces")):
        for content in (message.SerializeToString(), delimited(message.SerializeToString()), traffic.as_json(message)):
            (body,), said = read(tmp_path, content)
            assert (body.signal, said) == (signal, [])


def test_lines_may_mix_signals(tmp_path: Path) -> None:
    found, _ = read(tmp_path, b"\n".join(traffic.as_json(each) for each in (traffic.spans(1), traffic.logs(1))))
    assert [body.signal for body in found] == ["traces", "logs"]


def test_a_name_decides_where_the_content_does_not(tmp_path: Path) -> None:
    (body,), _ = read(tmp_path, delimited(b""), "logs.otlp.pb")
    assert body.signal == "logs"


@PACKINGS
def test_zeros_without_end_are_passed_over_in_one_step(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """They are what a file system leaves of what was not written, and what a bomb is made of."""
    zeros = bytes(3_000_001)
    found, said = read(tmp_path, pack(zeros + delimited(ONE) + zeros + delimited(b"", TWO, b"") + zeros))
    begins = [0, len(zeros) + len(delimited(ONE)), 2 * len(zeros) + len(delimited(ONE, b"", TWO))]
    assert [body.data for body in found] == [ONE, TWO]
    assert [line.split(": ", 1)[1] for line in said] == [
        f"{count} zeros were passed over at byte {begin}: they are no requests"
        for count, begin in zip((3_000_001, 3_000_002, 3_000_002), begins, strict=True)
    ]


def test_a_few_empty_bodies_are_requests(tmp_path: Path) -> None:
    bodies = [*[b""] * EMPTY_BODIES, ONE, *[b""] * EMPTY_BODIES]
    found, said = read(tmp_path, delimited(*bodies))
    assert ([body.data for body in found], said) == (bodies, [])
    assert read(tmp_path, bytes(EMPTY_BODIES + 1)) == (
        [],
        [f"{tmp_path}/file: 17 zeros were passed over at byte 0: they are no requests"],
    )


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standard:
        buffer = io.BufferedReader(io.BytesIO(gzip.compress(TEXT)))

    monkeypatch.setattr(sys, "stdin", Standard)
    assert list(iter_bodies("-")) == [Body(TEXT, "json", "traces")]


@pytest.mark.parametrize("lost", [1, len(TWO) - 1, len(TWO), len(TWO) + 1])
def test_a_cut_off_end_keeps_what_lies_before_it(tmp_path: Path, lost: int) -> None:
    found, said = read(tmp_path, delimited(ONE, TWO)[:-lost])
    assert [body.data for body in found] == [ONE]
    assert len(said) == 1
    assert "the 1 requests before it were read" in said[0]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_a_cut_off_package_keeps_what_can_be_unpacked(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    noise = [traffic.spans(400, seed).SerializeToString() for seed in range(40)]
    packed = pack(delimited(*noise))
    found, said = read(tmp_path, packed[: len(packed) // 2])
    assert 0 < len(found) < len(noise)
    assert [body.data for body in found] == noise[: len(found)]
    assert said


def test_several_packages_in_one_file_are_one(tmp_path: Path) -> None:
    for pack in (gzip.compress, zstandard.ZstdCompressor().compress):
        found, said = read(tmp_path, pack(delimited(ONE)) + pack(delimited(TWO)))
        assert ([body.data for body in found], said) == ([ONE, TWO], [])


def test_a_bad_line_is_passed_over(tmp_path: Path) -> None:
    found, said = read(tmp_path, TEXT + b'\n{"a":1}\n{"resourceSpans":[\n' + TEXT)
    assert len(found) == 2
    assert [line.split(": ", 1)[1][:6] for line in said] == ["line 2", "line 3"]


@pytest.mark.parametrize(
    ("lines", "said_of"),
    [
        ([TEXT[:60], TEXT, TEXT], "line 1"),
        ([b"starting up ...\r", TEXT, TEXT], "line 1"),
        ([TEXT, b"oops", TEXT], "line 2"),
        ([TEXT, TEXT[5:], TEXT], "line 2"),
    ],
    ids=["cut first", "words first", "words second", "cut second"],
)
def test_a_bad_line_among_the_first_is_passed_over_too(tmp_path: Path, lines: list[bytes], said_of: str) -> None:
    found, said = read(tmp_path, b"\n".join(lines))
    assert found == [Body(TEXT, "json", "traces")] * 2
    assert [line.split(": ", 1)[1][:6] for line in said] == [said_of]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ONE[:-1], "cut off"),
        (b"hello, world, this is no trace", "not OTLP"),
        (bytes(10), None),
        (bytes(20) + b"\xff" * 20, "not OTLP"),
        (bytes(10) + b"\xff" * 20, "not OTLP"),
        (b"PAR1" + bytes(100), "not OTLP"),
        (b"\x1f\x8b" + b"x" * 20, "not OTLP"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 20, "not OTLP"),
        (gzip.compress(ONE, mtime=0)[:30], "not OTLP"),
        (TEXT[:-5], "malformed"),
        (b'{"a": 1}', "no resourceSpans"),
        (b"[1, 2]", "JSON list"),
        (b'[{"traceId":"1","id":"2","name":"get"}', "looks like Zipkin JSON, but"),
        (b'{"data":{"traceID":"1","spans":[]}}', "looks like Jaeger JSON, but its `data` is no list"),
        (b'[{"traceId":' + b"[" * 100_000, "looks like Zipkin JSON, but"),
    ],
)
def test_what_is_not_otlp_says_so_in_a_line(tmp_path: Path, content: bytes, words: str | None) -> None:
    if words is None:
        assert all(body.data == b"" for body in read(tmp_path, content)[0])
        return
    with pytest.raises(DataError) as raised:
        read(tmp_path, content)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_published_examples_are_read(corpus: Path) -> None:
    signals = {path.stem: [body.signal for body in iter_bodies(path)] for path in (corpus / "otlp-examples").iterdir()}
    assert signals == {"trace": ["traces"], "logs": ["logs"], "events": ["logs"], "metrics": ["metrics"]}


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        list(iter_bodies(tmp_path / "missing"))
    with pytest.raises(DataError, match="directory"):
        list(iter_bodies(tmp_path))


def test_a_bomb_ends_where_it_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert INFLATED_BYTES >= 2**30
    monkeypatch.setattr("collector.unpacked.INFLATED_BYTES", 3 * 2**20)
    found, said = read(tmp_path, gzip.compress(delimited(*[ONE] * 20_000)))
    assert 0 < len(found) < 20_000
    assert any("unfolds" in line for line in said)


def test_a_document_that_is_too_large_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.files.BODY_BYTES", len(TEXT) - 1)
    with pytest.raises(DataError, match="more than"):
        read(tmp_path, TEXT)
    with pytest.raises(DataError):
        read(tmp_path, b"\x0a" + b"\xff\xff\xff\x7f" + bytes(len(TEXT)))


def test_random_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    dice = random.Random(4)  # noqa: S311 - seeded
    for _ in range(300):
        content = dice.choice([b"", b"\x0a", b"{", b"[", delimited(ONE)]) + dice.randbytes(dice.randrange(80))
        try:
            read(tmp_path, content)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most of them are read, some are not
