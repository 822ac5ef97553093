"""A picture as data. Lengths are in CSS pixels, y grows downwards."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Point = tuple[float, float]


@dataclass(frozen=True)
class Node:
    """A box: a title, smaller lines under it, and the key of its colour."""

    id: str
    x: float
    y: float
    width: float
    height: float
    title: str
    lines: tuple[str, ...]
    colour: str
    kind: str  # "input", "op" or "output"
    tooltip: str = ""


@dataclass(frozen=True)
class Edge:
    """A connection from the bottom of one box to the top of another, through `points`."""

    source: str
    target: str
    points: tuple[Point, ...]
    colour: str


@dataclass(frozen=True)
class Frame:
    """A frame around boxes that stand for several like blocks: 'these boxes, 12 times'."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Key:
    """One line of the legend."""

    colour: str
    text: str


@dataclass(frozen=True)
class Scene:
    """Everything a renderer needs.

    >>> Scene("empty", 10.0, 10.0, (), (), ()).to_json()["title"]
    'empty'
    """

    title: str
    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    legend: tuple[Key, ...]
    frames: tuple[Frame, ...] = ()

    def __repr__(self) -> str:
        size = f"{self.width:.0f} x {self.height:.0f}"
        return f"Scene({self.title!r}, {size})\n  {len(self.nodes)} boxes, {len(self.edges)} edges\n  " + ", ".join(
            key.text for key in self.legend
        )

    def to_json(self) -> dict[str, Any]:
        """The scene in JSON's own types."""
        return asdict(self)
