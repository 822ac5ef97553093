"""The layout of a basis flow diagram: one column of boxes per layer, one ribbon per box and matrix.

Column ``j`` stacks a box for every bar type ``(i, k)`` alive at layer ``j``: the flow subspace ``a_{kji}``, spanned by
the flow vectors of those bars, with a height of ``omega_{ki}``, its dimension. ``W_{j+1}`` carries the box of
``(i, k)`` at ``j`` onto its box at ``j + 1``, or to zero when ``k = j``; a box with ``i = j > 0`` is new there.
Older bars lie lower, and longer ones lower among equally old: so the column space of ``W_{j~i}`` is the lowest boxes of
column ``j``, up to a line, ribbons never cross, and the null space of ``W_{k+1~j}`` is a union of boxes.
(Bhattacharya and Shewchuk, "Fundamental theorem of linear neural networks".)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fiberscope.linear.barcode import Bar, Barcode
from fiberscope.scene.bar_kinds import kind

BOX = (72.0, 102.0)  # width of a box: names of ten layers and more are longer
GAP = 6.0  # between boxes of a column
UNIT = 30.0  # height of one dimension
TALLEST = 430.0  # of a column's dimensions; wider layers have smaller units
LEAST = 16.0  # height of a box, whatever its dimension: the label must fit
BETWEEN = 128.0  # from column to column, between the boxes


@dataclass(frozen=True)
class FlowBox:
    """One flow subspace ``a_{kji}`` of dimension `count` at `layer`; y is its upper side."""

    layer: int
    birth: int
    last: int
    count: int
    x: float
    y: float
    height: float

    @property
    def bar(self) -> Bar:
        return (self.birth, self.last)


@dataclass(frozen=True)
class FlowPicture:
    """Boxes in columns that stand on the line y = 0 (y grows downwards, so every box has y < 0).

    `ribbons` are pairs of box numbers, from layer j to layer j + 1. `ends` are the boxes sent to zero by the next
    matrix, `starts` those not reached by the one before. `forward` is 1 when layers run from left to right, else -1.
    """

    barcode: Barcode
    boxes: tuple[FlowBox, ...]
    ribbons: tuple[tuple[int, int], ...]
    ends: tuple[int, ...]
    starts: tuple[int, ...]
    columns: tuple[float, ...]  # x of each layer's left side
    box: float  # width of the boxes
    unit: float  # pixels per dimension
    dual: bool
    forward: int

    @property
    def height(self) -> float:
        """Of the tallest column."""
        return max(-box.y for box in self.boxes)

    def box_of(self, bar: Bar, layer: int) -> FlowBox:
        """The box of a bar type at a layer; StopIteration never happens for a bar alive there."""
        return next(box for box in self.boxes if box.bar == bar and box.layer == layer)

    def kind(self, box: FlowBox) -> str:
        """The kind of the box's bars: its colour."""
        return kind(box.bar, self.barcode.length)


def flow_picture(barcode: Barcode, *, dual: bool = False, right_to_left: bool = False) -> FlowPicture:
    """The layout for a barcode.

    ``right_to_left`` draws the input on the right, as in ``W_L ... W_1 x``. ``dual`` is the diagram of the transposed
    network, whose boxes are the dual subspaces ``b_{kji}`` and whose arrows run from the output to the input: then
    `starts` are sent to zero by ``W_j^T`` and `ends` are not reached by ``W_{j+1}^T``.

    >>> picture = flow_picture(Barcode.from_bars(1, {(0, 1): 2, (0, 0): 1}))
    >>> [(box.layer, box.bar, box.height) for box in picture.boxes], picture.ribbons
    ([(0, (0, 1), 60.0), (0, (0, 0), 30.0), (1, (0, 1), 60.0)], ((0, 2),))
    """
    length = barcode.length
    unit = min(UNIT, TALLEST / max(barcode.widths))
    order = sorted(barcode.bars, key=lambda bar: (bar[0], -bar[1]))
    width = BOX[length >= 10]
    columns = tuple((width + BETWEEN) * (length - j if right_to_left else j) for j in range(length + 1))
    boxes: list[FlowBox] = []
    number: dict[tuple[int, int, int], int] = {}
    for j in range(length + 1):
        y = 0.0
        for i, k, count in order:
            if i <= j <= k:
                height = max(LEAST, unit * count)
                number[j, i, k] = len(boxes)
                boxes.append(FlowBox(j, i, k, count, columns[j], y - height, height))
                y -= height + GAP
    ribbons = tuple((number[j, i, k], number[m, i, k]) for i, k, _ in order for j, m in pairwise(range(i, k + 1)))
    ends = tuple(number[k, i, k] for i, k, _ in order if k < length)
    starts = tuple(number[i, i, k] for i, k, _ in order if i > 0)
    return FlowPicture(
        barcode, tuple(boxes), ribbons, ends, starts, columns, width, unit, dual, -1 if right_to_left else 1
    )
