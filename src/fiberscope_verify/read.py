"""Open a model: a path (.onnx, .npz, .pt2, told apart by content) or a neutral dict."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from .model import Model
from .read_neutral import read_neutral
from .read_npz import read_npz
from .read_onnx import read_onnx
from .read_pt2 import read_pt2
from .report import Reject, Trouble, need

MAX_BYTES = 4 << 30


def read_bytes(path: str | os.PathLike, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes."""
    try:
        file = Path(path)
        if not file.is_file():
            raise Trouble(f"{path}: no such file")
        need(file.stat().st_size <= limit, f"{path}: larger than {limit} bytes")
        return file.read_bytes()
    except OSError as error:
        raise Trouble(f"{path}: {error.strerror}") from None


def read_model(source: object) -> Model:
    """Read a model from a path or a neutral dict; a Model is returned as it is."""
    if isinstance(source, Model):
        return source
    if isinstance(source, dict):
        return read_neutral(source)
    if not isinstance(source, str | os.PathLike):
        raise Reject("a model is a path or a neutral dict")
    data = read_bytes(source, MAX_BYTES)
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        if data[:4] != b"PK\x03\x04":
            return read_onnx(data, sha256)
        pt2 = b"models/model.json" in data and Path(source).suffix != ".npz"
        return (read_pt2 if pt2 else read_npz)(data, sha256, MAX_BYTES)
    except (MemoryError, RecursionError):
        raise Reject(f"{source}: damaged or too large") from None
