"""ONNX tensors: check what they declare, decode them, and write values back in the same encoding.

A ``TensorProto`` keeps its elements in ``raw_data``, in a typed field (``float_data``, ``int32_data`` ...), or in an
external file. Source: onnx.proto3, message TensorProto.
"""

from __future__ import annotations

import os
import stat
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fiberscope.errors import LoadError
from fiberscope.network.operators.call import DTYPES

FIELDS: dict[int, str] = {
    1: "float_data",
    11: "double_data",
    7: "int64_data",
    12: "uint64_data",
    13: "uint64_data",
    **dict.fromkeys((2, 3, 4, 5, 6, 9, 10, 16), "int32_data"),
}
BITS = {torch.bfloat16: torch.int16, torch.float16: torch.int16}


def declared_size(path: Path, proto: Any, max_bytes: int) -> tuple[list[int], torch.dtype, int]:
    """Shape, dtype and byte count that a tensor declares, before anything is allocated.

    Errors: :class:`LoadError` for an unknown data type, a negative dimension, or more than ``max_bytes``.
    """
    if proto.data_type not in DTYPES:
        raise LoadError(f"{path}: tensor {proto.name!r} has ONNX data type {proto.data_type}, which is not read")
    shape, dtype = list(proto.dims), DTYPES[proto.data_type]
    if len(shape) > 64 or any(size < 0 for size in shape):
        raise LoadError(f"{path}: tensor {proto.name!r} declares the shape {shape[:8]}")
    count = prod(shape) * dtype.itemsize
    if count > max_bytes:
        raise LoadError(f"{path}: tensor {proto.name!r} declares {count} bytes, more than max_bytes = {max_bytes}")
    return shape, dtype, count


def from_bytes(data: bytes, shape: list[int], dtype: torch.dtype) -> Tensor:
    """A tensor from little-endian bytes (its own copy)."""
    if not data:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape)


def to_bytes(tensor: Tensor) -> bytes:
    """The little-endian bytes of a tensor."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def decode(path: Path, proto: Any, max_bytes: int) -> tuple[Tensor, bytes]:
    """The tensor that a proto holds, and its external bytes (empty when it has none).

    Errors: :class:`LoadError` when the stored length is not the declared one, or external data may not be read.
    """
    shape, dtype, count = declared_size(path, proto, max_bytes)
    where = f"{path}: tensor {proto.name!r}"
    if proto.data_location == 1:  # EXTERNAL
        data = read_external(path, proto, count)
        return from_bytes(data, shape, dtype), data
    if proto.HasField("raw_data"):
        if len(proto.raw_data) != count:
            raise LoadError(f"{where} declares {count} bytes for shape {shape} and holds {len(proto.raw_data)}")
        return from_bytes(proto.raw_data, shape, dtype), b""
    field = FIELDS.get(proto.data_type)
    if field is None:
        raise LoadError(f"{where}: {dtype} must be stored as raw data")
    values = getattr(proto, field)
    if len(values) != prod(shape):
        raise LoadError(f"{where} declares shape {shape} and holds {len(values)} values")
    if dtype in BITS:  # 16-bit floats are stored as integers holding their bits
        bits = torch.tensor(np.asarray(values, dtype=np.int64) & 0xFFFF)
        return bits.to(torch.int16).view(dtype).reshape(shape), b""
    try:
        return torch.tensor(list(values), dtype=dtype).reshape(shape), b""
    except (RuntimeError, OverflowError) as error:
        raise LoadError(f"{where} holds a value that does not fit {dtype}") from error


def encode(proto: Any, tensor: Tensor) -> None:
    """Write ``tensor`` into ``proto`` in the encoding that the proto already uses."""
    if proto.HasField("raw_data"):
        proto.raw_data = to_bytes(tensor)
        return
    values = getattr(proto, FIELDS[proto.data_type])
    flat = tensor.detach().reshape(-1)
    if tensor.dtype in BITS:
        flat = flat.view(torch.int16).to(torch.int32) & 0xFFFF
    del values[:]
    values.extend(flat.tolist())


def external_fields(proto: Any) -> dict[str, str]:
    """The key-value pairs that say where external data lies."""
    return {entry.key: entry.value for entry in proto.external_data}


def read_external(path: Path, proto: Any, count: int) -> bytes:
    """The bytes of an external tensor, from a regular file inside the model's folder.

    The location must be relative and must not climb; once symbolic links are resolved, the file must lie in the folder
    of the model, or in the folder that the model's own link leads to (how hub caches store files).
    Errors: :class:`LoadError`.
    """
    where = f"{path}: tensor {proto.name!r}"
    fields = external_fields(proto)
    location = fields.get("location", "")
    parts = Path(location.replace("\\", "/")).parts
    if not location or "\0" in location or location.startswith(("/", "\\")) or ".." in parts or ":" in location:
        raise LoadError(f"{where}: external data {location[:80]!r} lies outside the model's folder; refused")
    target = path.parent / location
    real = Path(os.path.realpath(target))
    roots = {Path(os.path.realpath(path.parent)), Path(os.path.realpath(path)).parent}
    if not any(real.is_relative_to(root) for root in roots):
        raise LoadError(f"{where}: external data {location[:80]!r} leads outside the model's folder; refused")
    try:
        offset, length = int(fields.get("offset", "0")), int(fields.get("length", str(count)))
    except ValueError as error:
        raise LoadError(f"{where}: external offset or length is not a number") from error
    try:
        status = real.stat()
    except OSError as error:
        raise LoadError(f"{where}: external data file {location[:80]!r} is missing") from error
    if not stat.S_ISREG(status.st_mode):
        raise LoadError(f"{where}: external data {location[:80]!r} is not a regular file; refused")
    if length != count or offset < 0 or offset + count > status.st_size:
        raise LoadError(f"{where}: needs {count} bytes at {offset} of {location[:80]!r} ({status.st_size} bytes)")
    with real.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(count)
    if len(data) != count:
        raise LoadError(f"{where}: external data {location[:80]!r} ended early")
    return data
