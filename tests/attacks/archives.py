"""Hostile zip archives: bombs, duplicate names, climbing paths, lying sizes, pickles that run code."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

MARK = "pickle-was-run"


class Bomb:
    """Unpickling this creates a file: if it ever exists, a pickle was executed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.folder / MARK,))


def npy(shape: str, *, descr: str = "<f4", body: bytes = b"", fortran: str = "False") -> bytes:
    """A .npy file with any header text."""
    header = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def archive(members: dict[str, bytes], *, compress: bool = False) -> bytes:
    """A zip of the given members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return stream.getvalue()


def duplicate(name: str, first: bytes, second: bytes) -> bytes:
    """A zip that holds two members of one name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr(name, first)
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.writestr(name, second)
    return stream.getvalue()


def lying_size(data: bytes, name: str, size: int) -> bytes:
    """The same zip, whose central directory declares another unpacked size for a member."""
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    return data[: at + 24] + struct.pack("<I", size) + data[at + 28 :]


def edit_json(data: bytes, ending: str, change: Any) -> bytes:
    """A .pt2 archive with one JSON member changed in place by a function."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = next(n for n in members if n.endswith(ending))
    content = json.loads(members[name])
    change(content)
    members[name] = json.dumps(content).encode()
    return archive(members)
