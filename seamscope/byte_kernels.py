"""What the other kernels over bytes are built from: parts that cost no call, and moves of eight bytes at a time.

The moves may touch up to seven bytes behind what is asked for: buffers have `PADDING` bytes more than they hold. Since
numba's cache would not notice in the modules that use them, they are never to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Load = Callable[[NDArray[np.uint8], np.int64], np.uint64]
    Store = Callable[[NDArray[np.uint8], np.int64, np.uint64], None]

P = ParamSpec("P")
R = TypeVar("R")

PADDING: Final = 8


def piece(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a part of a kernel that makes no arrays.

    A call of an ordinary kernel counts references to each of its arrays up and down again, atomically; in a loop over
    bytes that costs several times what the work does. Pieces do not count, so they cannot allocate.
    """
    njit: Any = numba.njit  # its types do not know the options that leave out counting and calls from Python
    compile_piece = njit(cache=True, nogil=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    return cast("Callable[P, R]", compile_piece(function))


def _place(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    """Return a pointer to the eight bytes from `at`."""
    first = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(first, [at]), ir.IntType(64).as_pointer())


def _load8(_: Any, data: Any, at: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = builder.load(_place(context, builder, signature.args[0], values[0], values[1]))
        word.align = 1
        return word

    del at
    return types.uint64(data, types.int64), build


def _store8(_: Any, out: Any, at: Any, value: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        stored = builder.store(values[2], _place(context, builder, signature.args[0], values[0], values[1]))
        stored.align = 1
        return context.get_dummy_value()

    del at, value
    return types.void(out, types.int64, types.uint64), build


load8: Final = cast("Load", intrinsic(_load8))
"""Return eight bytes from a position, as a number, on the little-endian machines that this runs on."""
store8: Final = cast("Store", intrinsic(_store8))
"""Put a number as eight bytes at a position."""
