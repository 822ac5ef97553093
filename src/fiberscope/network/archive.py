"""Zip archives from strangers: look at the directory first, and read only what it may hold.

A 4 MB deflated archive can unpack to gigabytes. So every member's declared size is summed and bounded, the ratio of
unpacked to packed bytes is bounded, and a member is read with its declared size as a hard limit.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from fiberscope.errors import LoadError

MAX_RATIO = 1000  # deflate reaches about 1030; weights compress 1-20 times
MAX_MEMBERS = 100_000
SMALL = 1 << 24  # below this, a high ratio is harmless


def open_archive(path: Path, data: bytes, max_bytes: int) -> zipfile.ZipFile:
    """Open a zip held in memory after checking its directory.

    Errors: :class:`LoadError` for anything but a sound, unencrypted zip of stored or deflated members with distinct
    names, no absolute or climbing paths, and at most ``max_bytes`` in all.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError, EOFError) as error:
        raise LoadError(f"{path}: not a readable zip archive ({error})") from error
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > MAX_MEMBERS:
        raise LoadError(f"{path}: {len(members)} members in the zip archive, at most {MAX_MEMBERS} allowed")
    if len(set(names)) != len(names):
        raise LoadError(f"{path}: the zip archive holds two members of one name")
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise LoadError(f"{path}: the zip archive declares {total} bytes, more than max_bytes = {max_bytes}")
    for member in members:
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise LoadError(f"{path}: member {member.filename!r} is encrypted or compressed in an unknown way")
        if member.file_size > SMALL and member.file_size > MAX_RATIO * max(1, member.compress_size):
            raise LoadError(f"{path}: member {member.filename!r} unpacks to {member.file_size} bytes: a zip bomb")
        if member.filename.startswith(("/", "\\")) or ".." in Path(member.filename.replace("\\", "/")).parts:
            raise LoadError(f"{path}: member {member.filename!r} points outside the archive")
    return archive


def read_member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of one member, exactly as many as the directory declares."""
    try:
        member = archive.getinfo(name)
        with archive.open(member) as stream:
            data = stream.read(member.file_size + 1)
    except Exception as error:  # zipfile, zlib and struct raise a dozen kinds on damaged archives
        raise LoadError(f"{path}: member {name!r} cannot be read ({type(error).__name__}: {error})") from error
    if len(data) != member.file_size:
        raise LoadError(f"{path}: member {name!r} holds {len(data)} bytes, {member.file_size} declared")
    return data
