"""Memory is kept while there is work, and given back afterwards."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
from seamscope.allocators import give_back, keep_freed
keep_freed()
import numpy as np
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(1 << 18, np.int64).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
first, again = faults(), faults()
give_back()
print(first, again, faults())
"""


SWITCHED = """
import resource
from seamscope.allocators import keep
keep(True)
import numpy as np
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(1 << 18, np.int64).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
kept = faults()
keep(False)
faults()
little = faults()
keep(True)
faults()
print(kept, little, faults())
"""


def _faults(script: str = FAULTS, **environment: str) -> list[int]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "_RJEM"))}
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True, env=bare | environment
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
def test_what_is_freed_is_kept_until_it_is_given_back() -> None:
    first, again, given_back = _faults()
    assert again < first / 10
    assert given_back > first / 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
def test_it_may_be_kept_or_not_at_any_time() -> None:
    kept, little, again = _faults(SWITCHED)
    assert max(kept, again) < little / 10


def test_what_the_environment_says_goes() -> None:
    first, again, _ = _faults(MALLOC_MMAP_THRESHOLD_="131072")
    assert again > first / 2
