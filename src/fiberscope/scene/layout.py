"""Layered drawing of a directed acyclic graph: edges point down, boxes never overlap, same input same picture.

The classic four steps (Sugiyama, Tagawa and Toda 1981): layers by longest path, dummy boxes where an edge crosses a
layer, orders by means of neighbours, then x by pulling each box towards its neighbours and pushing overlaps apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fiberscope.scene.ordering import order_layers

GAP = 28.0  # between neighbours in a layer
RISE = 34.0  # between layers
MARGIN = 16.0
_DUMMY = 10.0
_SWEEPS = 12
_STRAIGHT = 6.0  # how much more a long edge insists on its place than a box


@dataclass(frozen=True)
class Layout:
    """`positions`: left upper corner of each box; `routes`: points of each edge; and the size of the picture."""

    positions: tuple[tuple[float, float], ...]
    routes: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


def layout(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    *,
    layers: Sequence[int] | None = None,
    rises: Sequence[float] | None = None,
    gap: float = GAP,
    lane: float = _DUMMY + GAP,
) -> Layout:
    """Places boxes of the given (width, height); each edge (a, b) must have a < b.

    ``layers`` fixes the layer of every box (0 on top; every layer is used, and edges go down), ``rises`` the room below
    each layer, ``gap`` that between neighbours; a passing edge takes the width ``lane``.

    >>> layout([(100, 40), (100, 40)], [(0, 1)]).positions
    ((16.0, 16.0), (16.0, 90.0))
    """
    if not sizes:
        return Layout((), (), 2 * MARGIN, 2 * MARGIN)
    layer = _layers(len(sizes), edges) if layers is None else list(layers)
    widths = [width for width, _ in sizes]
    rows: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for item, row in enumerate(layer):
        rows[row].append(item)
    above: list[list[int]] = [[] for _ in sizes]
    below: list[list[int]] = [[] for _ in sizes]
    chains: list[list[int]] = []
    for a, b in edges:
        chain = [a]
        for row in range(layer[a] + 1, layer[b]):
            chain.append(len(widths))
            rows[row].append(len(widths))
            widths.append(_DUMMY)
            above.append([])
            below.append([])
        chain.append(b)
        for upper, lower in pairwise(chain):
            below[upper].append(lower)
            above[lower].append(upper)
        chains.append(chain)
    order_layers(rows, above, below)
    room = [w + gap if i < len(sizes) else lane for i, w in enumerate(widths)]
    centre = _centres(rows, room, above, below, chains)

    heights = [max((sizes[i][1] for i in row if i < len(sizes)), default=0.0) for row in rows]
    tops = [MARGIN]
    rises = [RISE] * len(rows) if rises is None else rises
    for height, rise in zip(heights, rises, strict=True):
        tops.append(tops[-1] + height + rise)
    middle = {item: tops[number] + heights[number] / 2 for number, row in enumerate(rows) for item in row}
    span = {item: heights[number] / 2 for number, row in enumerate(rows) for item in row}
    left = min(centre[i] - widths[i] / 2 for i in range(len(widths)))
    x = [c - left + MARGIN for c in centre]

    positions = tuple((x[i] - w / 2, middle[i] - h / 2) for i, (w, h) in enumerate(sizes))
    routes = []
    for chain in chains:
        points = [(x[chain[0]], positions[chain[0]][1] + sizes[chain[0]][1])]
        for item in chain[1:-1]:  # straight through the height of a crossed layer, so that it passes between boxes
            points += [(x[item], middle[item] - span[item]), (x[item], middle[item] + span[item])]
        points.append((x[chain[-1]], positions[chain[-1]][1]))
        routes.append(tuple(points))
    width = max(x[i] + widths[i] / 2 for i in range(len(widths))) + MARGIN
    return Layout(positions, tuple(routes), width, tops[-1] - rises[-1] + MARGIN)


def _layers(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Longest path from a source; then sources sink towards their first reader."""
    layer = [0] * count
    first_reader: dict[int, int] = {}
    for a, b in sorted(edges, key=lambda edge: edge[1]):
        if a >= b:
            raise ValueError(f"edge ({a}, {b}): boxes must come before their readers")
        layer[b] = max(layer[b], layer[a] + 1)
    for a, b in edges:
        first_reader[a] = min(first_reader.get(a, layer[b]), layer[b])
    targets = {b for _, b in edges}
    return [first_reader[i] - 1 if i not in targets and i in first_reader else row for i, row in enumerate(layer)]


def _centres(
    rows: list[list[int]],
    widths: list[float],
    above: list[list[int]],
    below: list[list[int]],
    chains: list[list[int]],
) -> list[float]:
    """x of each box's centre: near its neighbours, in order, without overlap of `widths`; long edges run straight."""
    centre = [0.0] * len(widths)
    weight = [1.0] * len(widths)
    line: dict[int, list[int]] = {}  # the dummies that should share one x
    for chain in chains:
        for item in chain[1:-1]:
            line[item] = chain[1:-1]
            weight[item] = _STRAIGHT
    for row in rows:
        _pack(row, [0.0] * len(row), widths, weight, centre)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wish = []
            for item in row:
                near = sorted(centre[n] for n in line.get(item) or above[item] + below[item])
                wish.append((near[(len(near) - 1) // 2] + near[len(near) // 2]) / 2 if near else centre[item])
            _pack(row, wish, widths, weight, centre)
    return centre


def _pack(row: list[int], wish: list[float], widths: list[float], weight: list[float], centre: list[float]) -> None:
    """Least-squares places for a row: boxes that would overlap move as one block to their mean wish."""
    blocks: list[tuple[float, float, list[float]]] = []  # weighted sum of (wish - offset), weight, offsets
    for at, item in enumerate(row):
        total, heavy, offsets = wish[at] * weight[item], weight[item], [0.0]
        while blocks:
            before, mass, earlier = blocks[-1]
            left = row[at - len(offsets)]
            step = (widths[left] + widths[row[at - len(offsets) + 1]]) / 2
            shift = earlier[-1] + step
            if before / mass + shift <= total / heavy:
                break
            blocks.pop()
            total += before - shift * heavy
            heavy += mass
            offsets = earlier + [offset + shift for offset in offsets]
        blocks.append((total, heavy, offsets))
    places = [total / heavy + offset for total, heavy, offsets in blocks for offset in offsets]
    for item, place in zip(row, places, strict=True):
        centre[item] = place
