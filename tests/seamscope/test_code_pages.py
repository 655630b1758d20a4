"""Code that nobody runs is let go of, unless it was written to."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from seamscope import code_pages

if TYPE_CHECKING:
    from pathlib import Path

ONE = """
7f0000000000-7f0000400000 {mode} 00001000 08:01 42                       {name}
Size:               4096 kB
Rss:                1024 kB
Anonymous:          {anonymous:>8} kB
Private_Hugetlb:{huge:>8} kB
Swap:           {swapped:>8} kB
VmFlags: rd ex mr mw me
"""


@pytest.mark.parametrize(
    ("mode", "name", "anonymous", "goes"),
    [
        ("r-xp", "/opt/a library.so", 0, True),
        ("r-xp", "/opt/library.so", 4, False),  # written to, as a debugger does
        ("rw-p", "/opt/library.so", 0, False),
        ("r--p", "/opt/library.so", 0, True),
        ("r--p", "/opt/library.so", 4, False),  # made to fit its place by the loader
        ("r-xp", "", 0, False),  # a kernel compiled here
        ("r-xp", "[vdso]", 0, False),
    ],
)
def test_only_code_that_a_file_holds_is_let_go_of(mode: str, name: str, anonymous: int, goes: bool) -> None:
    said = ONE.format(mode=mode, name=name, anonymous=anonymous, swapped=0, huge=0)
    other = ONE.format(mode="rw-p", name="", anonymous=9, swapped=9, huge=0).replace("7f00004", "7f00008")
    assert list(code_pages.unchanged(said + other, said + other)) == [(0x7F0000000000, 4 << 20)] * goes


def test_what_was_written_to_and_swapped_out_stays() -> None:
    said = ONE.format(mode="r--p", name="/opt/library.so", anonymous=0, swapped=4, huge=0)
    assert not list(code_pages.unchanged(said, said))


def test_huge_pages_stay_which_bear_a_name_like_a_file_s() -> None:
    said = ONE.format(mode="r-xp", name="/anon_hugepage (deleted)", anonymous=0, swapped=0, huge=4096)
    assert not list(code_pages.unchanged(said, said))


def test_what_is_not_told_is_taken_for_written_to() -> None:
    said = ONE.format(mode="r-xp", name="/opt/library.so", anonymous=0, swapped=0, huge=0)
    said = "".join(line for line in said.splitlines(keepends=True) if not line.startswith("Anonymous"))
    assert not list(code_pages.unchanged(said, said))


def test_where_things_are_is_read_last(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    class Listing:
        def __init__(self, name: str) -> None:
            self.name = name

        def read_text(self, **_: str) -> str:
            read.append(self.name)
            return ""

    monkeypatch.setattr(code_pages, "MAPPED", Listing("smaps"))
    monkeypatch.setattr(code_pages, "PLACES", Listing("maps"))
    code_pages.let_go()
    assert read == ["smaps", "maps"]


def test_another_file_at_the_same_place_stays() -> None:
    said, other = (ONE.format(mode="r--p", name=f"/opt/{name}.so", anonymous=0, swapped=0, huge=0) for name in "ab")
    assert not list(code_pages.unchanged(said, other))


def test_a_system_that_tells_nothing_of_swap() -> None:
    said = ONE.format(mode="r--p", name="/opt/library.so", anonymous=0, swapped=0, huge=0)
    said = "".join(line for line in said.splitlines(keepends=True) if not line.startswith("Swap"))
    assert "Swap" not in said
    assert list(code_pages.unchanged(said, said)) == [(0x7F0000000000, 4 << 20)]


def test_a_library_that_is_just_being_loaded_stays() -> None:
    said = ONE.format(mode="r--p", name="/opt/library.so", anonymous=0, swapped=0, huge=0)
    loaded = said.replace("7f0000400000 r--p", "7f0000300000 r--p") + said.replace("7f0000000000", "7f0000300000")
    assert not list(
        code_pages.unchanged(said, loaded.replace("7f0000300000-7f0000400000 r--p", "7f0000300000-7f0000400000 rw-p"))
    )


def test_small_libraries_stay() -> None:
    said = ONE.format(mode="r-xp", name="/opt/small.so", anonymous=0, swapped=0, huge=0).replace(
        "7f0000400000", "7f0000040000"
    )
    assert not list(code_pages.unchanged(said, said))


def test_nothing_is_told_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_pages, "MAPPED", tmp_path / "absent")
    code_pages.let_go()


LET_GO = """
import sys
from pathlib import Path
import duckdb, llvmlite.binding, polars
from seamscope import code_pages
def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))
def use():
    return duckdb.sql("SELECT sum(a) FROM range(1000) t(a)").fetchall(), polars.arange(0, 9, eager=True).sum()
def run():
    llvmlite.binding.parse_assembly("define i32 @f() { ret i32 7 }").verify()
    return use()
first = run()
before = held()
code_pages.let_go()
after = held()
assert run() == first
print(before, after)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_it_goes_and_comes_back() -> None:
    done = subprocess.run([sys.executable, "-c", LET_GO], check=True, stdout=subprocess.PIPE, text=True)
    before, after = (int(word) for word in done.stdout.split())
    assert after < before - 4_096  # KiB
