"""What the commands say to a person: bars, counts and small tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fiberscope.cli.output import result_console

if TYPE_CHECKING:
    from fiberscope.linear.barcode import Barcode


def bars(barcode: Barcode) -> str:
    """'[0,2] ×2, [1,1]'"""
    return ", ".join(f"[{i},{k}]" + (f" ×{m}" if m > 1 else "") for i, k, m in barcode.bars)


def chain_of(widths: Sequence[int]) -> str:
    """'4 → 3 → 5': widths from input to output."""
    return " → ".join(map(str, widths))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A plain table on standard output."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for at, name in enumerate(head):
        made.add_column(name, justify="right" if at in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell.replace("[", "\\[") for cell in row))
    result_console().print(made)
