"""Mutants of a valid file: flipped bits, cuts, inserted bytes, copied blocks, huge 64-bit fields, swapped numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator


def mutants(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """``count`` mutants, the same for the same seed."""
    rng = random.Random(seed)
    moves = [flip, cut, insert, huge, copy, digits, several]
    for index in range(count):
        yield moves[index % len(moves)](data, rng)


def flip(data: bytes, rng: random.Random) -> bytes:
    """One bit flipped."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    """A piece removed, or the end."""
    at = rng.randrange(len(data))
    return data[:at] if rng.random() < 0.5 else data[:at] + data[at + 1 + rng.randrange(16) :]


def insert(data: bytes, rng: random.Random) -> bytes:
    """A few random bytes in between."""
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(1 + rng.randrange(9)) + data[at:]


def huge(data: bytes, rng: random.Random) -> bytes:
    """Eight bytes overwritten by an extreme number, or by a ten-byte varint."""
    at = rng.randrange(len(data))
    value = rng.choice(
        [b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 7 + b"\x80", b"\0\0\0\0\1\0\0\0", b"\xff" * 9 + b"\x01"]
    )
    return data[:at] + value + data[at + len(value) :]


def copy(data: bytes, rng: random.Random) -> bytes:
    """One block copied over another place."""
    source, target, size = rng.randrange(len(data)), rng.randrange(len(data)), 1 + rng.randrange(64)
    return data[:target] + data[source : source + size] + data[target + size :]


def digits(data: bytes, rng: random.Random) -> bytes:
    """A decimal digit in the file (JSON, npy headers) changed, or a number made long."""
    places = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return flip(data, rng)
    at = rng.choice(places)
    return data[:at] + rng.choice([b"-1", b"0", b"9", b"9" * 19, b"1e9"]) + data[at + 1 :]


def several(data: bytes, rng: random.Random) -> bytes:
    """Three to six bits flipped."""
    for _ in range(3 + rng.randrange(4)):
        data = flip(data, rng)
    return data
