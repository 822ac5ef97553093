"""Random barcodes for the pictures of linear networks, and helpers to look at where things lie."""

from __future__ import annotations

from itertools import combinations

from hypothesis import strategies as st

from fiberscope.linear.barcode import Barcode

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom


@st.composite
def barcodes(draw: st.DrawFn, longest: int = 5, most: int = 4) -> Barcode:
    """Any multiset of bars with at least one alive at every layer."""
    length = draw(st.integers(1, longest))
    places = [(i, k) for i in range(length + 1) for k in range(i, length + 1)]
    bars = draw(st.dictionaries(st.sampled_from(places), st.integers(1, most), max_size=8))
    for layer in range(length + 1):
        if not any(i <= layer <= k for i, k in bars):
            bars[layer, layer] = 1
    return Barcode.from_bars(length, bars)


def overlapping(rectangles: list[Rectangle], slack: float = 1e-6) -> list[tuple[Rectangle, Rectangle]]:
    """Pairs of rectangles that share area."""
    return [
        (a, b)
        for a, b in combinations(rectangles, 2)
        if min(a[2], b[2]) - max(a[0], b[0]) > slack and min(a[3], b[3]) - max(a[1], b[1]) > slack
    ]
