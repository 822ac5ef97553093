"""`--list`: ids and barcodes as a stream; memory stays small however many there are."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice

BATCH = 4096  # lines written at once


def stream(widths: list[int], rank: int, as_json: bool) -> None:
    """Every stratum of the fiber on standard output: one JSON object, or a line each."""
    from fiberscope.linear.counting import CountTooLarge, count_strata
    from fiberscope.linear.enumeration import raw_barcodes

    raw = raw_barcodes(widths, rank)
    try:
        count = count_strata(widths, rank)
    except CountTooLarge:
        count = None
    write = sys.stdout.write
    if as_json:
        head = json.dumps({"widths": widths, "rank": rank, "count": count})
        write(f'{head[:-1]}, "strata": [')
        encode = json.JSONEncoder(separators=(",", ":")).encode
        lines = (f'{{"id":{number},"barcode":{encode(bars)}}}' for number, bars in enumerate(raw))
        for number, batch in enumerate(_batches(lines)):
            write(("," if number else "") + ",".join(batch))
        write("]}\n")
        return
    lines = (f"{number}  " + " ".join(_bar(*bar) for bar in bars) for number, bars in enumerate(raw))
    for batch in _batches(lines):
        write("\n".join(batch) + "\n")


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(lines, BATCH)):
        yield batch


def _bar(birth: int, last: int, copies: int) -> str:
    return f"[{birth},{last}]" + (f"x{copies}" if copies > 1 else "")
