"""The Open Inference Protocol's datatypes and their NumPy forms.

BYTES elements vary in length: in NumPy they are `bytes` in arrays of objects.
"""

from __future__ import annotations

import numpy as np

NUMPY_DTYPES: dict[str, np.dtype[np.generic]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Little-endian, as the protocol's raw contents are."""

_NAMES = {**{dtype: name for name, dtype in NUMPY_DTYPES.items()}, np.dtype(np.object_): "BYTES"}


def datatype_of(dtype: np.dtype[np.generic]) -> str:
    """The protocol's name of a NumPy dtype, or NumPy's own name if the protocol has none."""
    return _NAMES.get(dtype) or str(dtype)
