"""The protobuf wire format: a message as a list of (field number, wire type, value).

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .report import Reject, need

Value = int | memoryview


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """One base-128 number starting at `at`: (value, next position)."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Reject("damaged protobuf number")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), at
        shift += 7


def fields(data: memoryview) -> Iterator[tuple[int, int, Value]]:
    """All fields of one message in file order; length-delimited values are views, nothing is copied."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
            yield number, wire, value
            continue
        if wire == 2:
            size, at = varint(data, at)
        else:
            need(wire in (1, 5), "unknown protobuf wire type")
            size = 8 if wire == 1 else 4
        need(size <= len(data) - at, "protobuf field longer than its message")
        yield number, wire, data[at : at + size]
        at += size


def signed(value: Value) -> int:
    """A 64-bit varint as a two's complement number."""
    need(isinstance(value, int), "protobuf number expected")
    assert isinstance(value, int)
    return value - 2**64 if value >= 2**63 else value


def integers(wire: int, value: Value) -> list[int]:
    """A repeated integer field, packed or not."""
    if wire == 0:
        return [signed(value)]
    need(wire == 2, "protobuf integers expected")
    assert isinstance(value, memoryview)
    out, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        out.append(signed(number))
    return out


def floats(wire: int, value: Value, code: str = "f") -> list[float]:
    """A repeated float ("f") or double ("d") field, packed or not."""
    size = struct.calcsize(code)
    need(isinstance(value, memoryview) and len(value) % size == 0, "protobuf floats expected")
    assert isinstance(value, memoryview)
    return list(struct.unpack(f"<{len(value) // size}{code}", value))


def text(value: Value) -> str:
    """A string field."""
    need(isinstance(value, memoryview), "protobuf text expected")
    assert isinstance(value, memoryview)
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise Reject("damaged protobuf text") from None


def message(value: Value) -> memoryview:
    """A nested message field."""
    need(isinstance(value, memoryview), "protobuf message expected")
    assert isinstance(value, memoryview)
    return value
