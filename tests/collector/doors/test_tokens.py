"""Bearer tokens: what a file may hold, who may do what, and what happens while a file changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from collector.doors.tokens import Guard, TokenFile
from seamscope.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from collector.doors.otlp_status import Refusal

INGEST, SECOND, READ = "ingest-0123456789abcdef", "second-0123456789abcdef", "read-0123456789abcdef"


def tokens(folder: Path, name: str, *lines: str) -> TokenFile:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return TokenFile(folder / name, look_s=0)


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tokens(tmp_path, "ingest", "# of the edge", "", INGEST, f"  {SECOND}\t"), tokens(tmp_path, "r", READ))


def code(refusal: Refusal | None) -> str:
    return "OK" if refusal is None else refusal.code.name


@pytest.mark.parametrize("header", [f"Bearer {INGEST}", f"bearer  {SECOND} ", f"BEARER {INGEST}".encode()])
def test_any_token_of_the_file_lets_in(guard: Guard, header: str | bytes) -> None:
    assert code(guard.refusal([header], "ingest")) == "OK"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        [INGEST],
        [f"Basic {INGEST}"],
        [f"Bearer {INGEST}x"],
        [f"Bearer {INGEST[:-1]}"],
        [f"Bearer {INGEST}, Bearer {INGEST}"],
        [f"Bearer {INGEST}", f"Bearer {INGEST}"],  # which of the two counts is what smugglers play with
        ["Bearer # of the edge"],
        ["Bearer \udcff\udcfe"],
        [b"Bearer \xff\x00"],
        ["Bearer " + "x" * 100_000],
    ],
)
def test_everything_else_is_unauthenticated(guard: Guard, headers: list[str | bytes]) -> None:
    assert code(guard.refusal(headers, "ingest")) == "UNAUTHENTICATED"
    assert code(guard.refusal(headers, "read")) in {"UNAUTHENTICATED", "PERMISSION_DENIED"}


def test_a_token_for_one_thing_is_none_for_the_other(guard: Guard) -> None:
    assert code(guard.refusal([f"Bearer {READ}"], "read")) == "OK"
    assert code(guard.refusal([f"Bearer {READ}"], "ingest")) == "PERMISSION_DENIED"
    assert code(guard.refusal([f"Bearer {INGEST}"], "read")) == "PERMISSION_DENIED"


def test_without_tokens_anybody_sends_and_nobody_reads() -> None:
    assert code(Guard().refusal([], "ingest")) == "OK"
    assert code(Guard().refusal([f"Bearer {READ}"], "read")) == "UNIMPLEMENTED"


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tokens(tmp_path, "tokens", INGEST)
    (tmp_path / "tokens").write_text(f"{SECOND}\n")
    assert file.has(SECOND.encode())
    assert not file.has(INGEST.encode())


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tokens(tmp_path, "tokens", INGEST)
    (tmp_path / "tokens").write_text(f"{SECOND}\n")
    monkeypatch.setattr(type(tmp_path), "read_bytes", _denied)
    assert file.has(INGEST.encode())
    monkeypatch.undo()
    assert file.has(SECOND.encode())
    assert not file.has(INGEST.encode())


def _denied(_: Path) -> bytes:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_keeps_its_date_is_read_again(tmp_path: Path) -> None:
    file, place = tokens(tmp_path, "tokens", INGEST), tmp_path / "tokens"
    before = place.stat()
    place.write_text(f"{SECOND}\n")
    while place.stat().st_ctime_ns == before.st_ctime_ns:  # until the file system's clock has ticked
        os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.has(SECOND.encode())
    assert not file.has(INGEST.encode())


@pytest.mark.parametrize("spoiled", ["", "# nobody\n", "short\n", None])
def test_a_spoiled_file_changes_nothing(tmp_path: Path, spoiled: str | None, caplog: pytest.LogCaptureFixture) -> None:
    file = tokens(tmp_path, "tokens", INGEST)
    if spoiled is None:
        (tmp_path / "tokens").unlink()
    else:
        (tmp_path / "tokens").write_text(spoiled)
    assert file.has(INGEST.encode())
    assert "stay as they were" in caplog.text
    assert INGEST not in caplog.text


def test_a_byte_order_mark_is_no_part_of_a_token(tmp_path: Path) -> None:
    assert tokens(tmp_path, "tokens", f"\ufeff{INGEST}").has(INGEST.encode())


@pytest.mark.parametrize("token", [f"{INGEST}\0", f"{INGEST}\u00e9", f"{INGEST}\t{SECOND}"])
def test_a_token_that_no_header_can_carry_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(DataError, match="tokens, line 2: a token has characters that no header") as refused:
        tokens(tmp_path, "tokens", "# caf\u00e9", token)
    assert INGEST not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"), [("", "no token"), ("# nobody\n", "no token"), ("hunter2\n", "fewer than 16"), (None, "cannot")]
)
def test_a_file_that_lets_nobody_or_everybody_in_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "tokens").write_text(text)
    with pytest.raises(DataError, match=words):
        TokenFile(tmp_path / "tokens")
