"""``.npy`` members from strangers: check the header against the bytes before making an array; never unpickle."""

from __future__ import annotations

import io
from math import prod
from pathlib import Path

import numpy as np

from fiberscope.errors import LoadError


def read_npy(path: Path, name: str, data: bytes) -> np.ndarray:
    """An array from the bytes of a ``.npy`` file.

    Errors: :class:`LoadError` for object arrays, structured dtypes, or a header that does not match the length.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version}")
    except Exception as error:  # the header is a Python literal: any parser error can come out
        raise LoadError(f"{path}: array {name!r} has a damaged .npy header ({type(error).__name__})") from error
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        raise LoadError(f"{path}: array {name!r} has dtype {dtype}; only plain numbers and text are read")
    rest = len(data) - stream.tell()
    if len(shape) > 32 or any(size < 0 for size in shape) or prod(shape) * dtype.itemsize != rest:
        raise LoadError(f"{path}: array {name!r} declares shape {shape} of {dtype}, but {rest} bytes follow")
    try:
        flat = np.frombuffer(data, dtype=dtype, count=prod(shape), offset=stream.tell()) if rest else np.empty(0, dtype)
        return flat.reshape(shape, order="F" if fortran else "C").copy()
    except (ValueError, TypeError) as error:
        raise LoadError(f"{path}: array {name!r} cannot be read ({error})") from error
