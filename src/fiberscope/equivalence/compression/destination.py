"""Where a compression goes: refused before the work where nothing can be written, and written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.equivalence.compression.result import Compression
    from fiberscope.network import Network


def check_destination(net: Network, out: str | Path | None, certificate: str | Path | None) -> None:
    """Errors: InputError for another format's ending, a folder, a missing one, or a file that would be lost."""
    if certificate is not None and out is None:
        raise InputError("certificate: it is about a file; say where the smaller model goes with out=")
    if out is None:
        return
    own = f".{net.format}" if net.format in ("onnx", "npz") else ".pt2"
    if Path(out).suffix.lower() != own:
        raise InputError(f"{out}: {net.name} is written as a {own} file; give a name that ends in {own}")
    for path in (out, certificate):
        if path is not None:
            check_place(Path(path))
    apart({"the model that is read": net.path, "the smaller model": out, "the certificate": certificate})


def check_place(path: Path) -> None:
    """Errors: InputError where no file can be made."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{path}: cannot write there; name a file in a folder that exists")


def apart(places: Mapping[str, str | Path | None]) -> None:
    """Errors: InputError where two of these are the same file.

    >>> apart({"the model that is read": "a.npz", "the smaller model": "b.npz", "the certificate": None})
    """
    seen: list[tuple[str, Path]] = []
    for what, place in places.items():
        if place is None:
            continue
        path = Path(place)
        for other, before in seen:
            if path.resolve() == before.resolve() or (path.exists() and before.exists() and path.samefile(before)):
                raise InputError(f"{path}: names {other} and {what}; give {what} a name of its own")
        seen.append((what, path))


def write(result: Compression, out: Path, certificate: Path | None) -> str | None:
    """Writes the smaller model and the certificate about it, both of them or none; says why there is no certificate.

    They are made in a folder beside ``out``, since a proof is about a file: what fails on the way leaves nothing.
    """
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        made = Path(folder) / out.name
        proof, reason = result.written(made)
        if certificate is not None and proof is not None:
            proof.save(certificate)
        for part in sorted(Path(folder).iterdir()):  # a model may keep its numbers in a file of its own
            if part != made:
                part.replace(out.parent / part.name)
        made.replace(out)
    return reason
