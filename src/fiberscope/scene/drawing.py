"""A drawing as data: rectangles, curves, discs and text, each with a colour key and a role that renderers look up.

Lengths are in CSS pixels, y grows downwards. A picture that stands for mathematics (`flow.py`, `hasse.py`, ...) is laid
out as its own frozen data first and is then turned into these few shapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

Point = tuple[float, float]
Curve = tuple[Point, Point, Point]  # two control points and the end of a cubic Bezier curve


@dataclass(frozen=True)
class Rect:
    """A rectangle with rounded corners."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    role: str = "solid"
    radius: float = 0.0


@dataclass(frozen=True)
class Disc:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str
    role: str = "solid"


@dataclass(frozen=True)
class Path:
    """A line of cubic curves from `start`; `closed` ones are areas."""

    start: Point
    curves: tuple[Curve, ...]
    colour: str
    role: str = "line"
    closed: bool = False
    name: str = ""


@dataclass(frozen=True)
class Text:
    """A line of text: `x` is its start, middle or end by `anchor`, `y` its base line."""

    x: float
    y: float
    text: str
    role: str = "label"
    anchor: str = "middle"
    colour: str = "ink"


@dataclass(frozen=True)
class Group:
    """Shapes that belong together: `tooltip` is shown when pointed at, `name` marks them in the file."""

    items: tuple[Item, ...]
    tooltip: str = ""
    name: str = ""
    faded: bool = False


Item = Rect | Disc | Path | Text | Group


@dataclass(frozen=True)
class Drawing:
    """Everything a renderer needs.

    >>> Drawing("empty", 10.0, 10.0, ()).to_json()["title"]
    'empty'
    """

    title: str
    width: float
    height: float
    items: tuple[Item, ...]
    follow: bool = False  # pointing at a group named `n3` lights up the paths whose name holds the word `3`

    def __repr__(self) -> str:
        return f"Drawing({self.title!r}, {self.width:.0f} x {self.height:.0f}, {sum(1 for _ in shapes(self))} shapes)"

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        from fiberscope.scene.drawing_svg import svg

        return svg(self, standalone=True)

    def to_json(self) -> dict[str, Any]:
        """The drawing in JSON's own types."""
        return asdict(self)


def shapes(drawing: Drawing) -> Iterator[tuple[Rect | Disc | Path | Text, bool]]:
    """Every shape in the order of drawing, groups opened, and whether it is faded."""

    def walk(items: tuple[Item, ...], faded: bool) -> Iterator[tuple[Rect | Disc | Path | Text, bool]]:
        for item in items:
            if isinstance(item, Group):
                yield from walk(item.items, faded or item.faded)
            else:
                yield item, faded

    return walk(drawing.items, False)


def moved(item: Item, dx: float, dy: float) -> Item:
    """The same shape elsewhere."""
    if isinstance(item, Group):
        return Group(tuple(moved(part, dx, dy) for part in item.items), item.tooltip, item.name, item.faded)
    if isinstance(item, Path):
        curves = tuple(((a + dx, b + dy), (c + dx, d + dy), (e + dx, f + dy)) for (a, b), (c, d), (e, f) in item.curves)
        start = (item.start[0] + dx, item.start[1] + dy)
        return Path(start, curves, item.colour, item.role, item.closed, item.name)
    return type(item)(**{**vars(item), "x": item.x + dx, "y": item.y + dy})


def straight(points: list[Point], colour: str, role: str, *, closed: bool = False, name: str = "") -> Path:
    """A path of straight pieces."""
    return Path(points[0], tuple(_flat(a, b) for a, b in pairwise(points)), colour, role, closed, name)


def _flat(a: Point, b: Point) -> Curve:
    return (_between(a, b, 1 / 3), _between(a, b, 2 / 3), b)


def _between(a: Point, b: Point, t: float) -> Point:
    return (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]))


def sideways(a: Point, b: Point, bend: float = 0.5) -> Curve:
    """The curve from `a` to `b` that leaves and arrives horizontally."""
    reach = bend * (b[0] - a[0])
    return ((a[0] + reach, a[1]), (b[0] - reach, b[1]), b)


def upwards(a: Point, b: Point, bend: float = 0.5) -> Curve:
    """The curve from `a` to `b` that leaves and arrives vertically."""
    reach = bend * (b[1] - a[1])
    return ((a[0], a[1] + reach), (b[0], b[1] - reach), b)


def band(a: Point, b: Point, height: float, to_height: float, colour: str, role: str = "ribbon") -> Path:
    """A ribbon from a vertical side at `a` (its upper end) to one at `b`; a height of 0 makes it a point."""
    low_a, low_b = (a[0], a[1] + height), (b[0], b[1] + to_height)
    return Path(
        a, (sideways(a, b), _flat(b, low_b), sideways(low_b, low_a), _flat(low_a, a)), colour, role, closed=True
    )
