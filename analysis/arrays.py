"""Short names for the array types that the passes hand to each other."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Int64s: TypeAlias = npt.NDArray[np.int64]
Int32s: TypeAlias = npt.NDArray[np.int32]
Codes: TypeAlias = npt.NDArray[np.uint8]
"""Codes of a vocabulary in `seamscope.schema.words`, or marks (0 and 1)."""
Mask: TypeAlias = npt.NDArray[np.bool_]

Number: TypeAlias = int | np.signedinteger[Any]
"""A whole number, of Python's or out of an array; compiled kernels know one kind only."""

NONE: Final = -1
"""No row: the parent of a root, the server of a call that sent nothing."""

MISSING: Final = np.iinfo(np.int64).min
"""A number that is not known, in an array of numbers."""
