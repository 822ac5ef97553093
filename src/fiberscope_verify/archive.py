"""Zip archives and .npy members, read with every declared size checked before memory is taken."""

from __future__ import annotations

import ast
import io
import math
import zipfile

import numpy as np

from .report import Reject, need

MAX_MEMBERS = 100_000
MAX_RATIO = 1_100  # deflate cannot exceed 1032:1


def open_zip(data: bytes, limit: int) -> zipfile.ZipFile:
    """Open a zip held in memory; refuse duplicates, encryption and declared totals above `limit` bytes."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except Exception as error:  # zipfile raises many kinds on damaged input
        raise Reject(f"not a readable zip archive ({type(error).__name__})") from None
    need(len(infos) <= MAX_MEMBERS, "the archive has too many members")
    need(len({i.filename for i in infos}) == len(infos), "the archive names a member twice")
    need(not any(i.flag_bits & 1 for i in infos), "the archive is encrypted")
    need(sum(i.file_size for i in infos) <= limit, f"the archive declares more than {limit} bytes")
    need(all(i.file_size <= MAX_RATIO * i.compress_size + 64 for i in infos), "impossible compression ratio")
    need(all(i.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for i in infos), "unknown compression")
    return archive


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of one member, never more than it declares; the checksum must hold."""
    try:
        info = archive.getinfo(name)
        with archive.open(info) as stream:
            data = stream.read(info.file_size + 1)
    except KeyError:
        raise Reject(f"the archive has no member {name!r}") from None
    except Exception as error:
        raise Reject(f"member {name!r} is damaged ({type(error).__name__})") from None
    need(len(data) == info.file_size, f"member {name!r} has not the declared size")
    return data


def parse_npy(data: bytes, name: str) -> np.ndarray:
    """An array from .npy bytes (versions 1 to 3): plain numbers, booleans or text, never objects."""
    need(data[:6] == b"\x93NUMPY" and len(data) >= 12, f"{name}: not a .npy array")
    wide = data[6] >= 2
    start = 12 if wide else 10
    size = int.from_bytes(data[8:start], "little")
    need(size <= 10_000 and start + size <= len(data), f"{name}: .npy header too long")
    try:
        header = ast.literal_eval(data[start : start + size].decode("utf-8" if data[6] >= 3 else "latin1").strip(" \n"))
        dtype = np.dtype(header["descr"]) if isinstance(header["descr"], str) else None
        shape, fortran = header["shape"], header["fortran_order"]
        proper = set(header) == {"descr", "shape", "fortran_order"} and type(fortran) is bool
        proper = proper and type(shape) is tuple and all(type(s) is int and s >= 0 for s in shape) and len(shape) <= 16
    except Exception:
        raise Reject(f"{name}: damaged .npy header") from None
    need(proper and dtype is not None and dtype.kind in "fiubU" and dtype.itemsize > 0, f"{name}: .npy header refused")
    assert dtype is not None
    body = data[start + size :]
    need(len(body) == math.prod(shape) * dtype.itemsize, f"{name}: .npy size does not match its header")
    array = np.frombuffer(body, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    if dtype.kind == "U":
        try:
            array.tolist()
        except Exception:
            raise Reject(f"{name}: damaged text array") from None
        return array
    return array.astype(dtype.newbyteorder("="))
