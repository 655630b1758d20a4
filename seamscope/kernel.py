"""Compiled kernels: loops over columns, machine code after the first call on a machine.

The compiled form is kept beside the module (or in numba's user cache), so the cost is paid once per install.
Kernels release the GIL. A kernel that calls another lives in the same module: numba's cache does not notice
a change in another file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` (numba nopython, no GIL, cached on disk); it keeps its signature."""
    compile_cached: Any = numba.njit(cache=True, nogil=True)
    return cast("Callable[P, R]", compile_cached(function))
