"""A rectangle of a drawing with coordinates: from numbers to pixels, with ticks at round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fiberscope.scene.drawing import Item, Point, Rect, Text, straight
from fiberscope.scene.paint import width_of

Range = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """``x`` and ``y`` ranges on the rectangle at (left, top); y grows upwards, as in mathematics."""

    x: Range
    y: Range
    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def at(self, x: float, y: float) -> Point:
        """The pixel of a point.

        >>> Frame((0.0, 1.0), (0.0, 2.0), 10.0, 10.0, 100.0, 100.0).at(0.5, 2.0)
        (60.0, 10.0)
        """
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * self.width, self.bottom - up * self.height

    def ground(self) -> list[Item]:
        """The rectangle itself, to be drawn first."""
        return [Rect(self.left, self.top, self.width, self.height, "line", "card")]

    def axes(self, x_name: str, y_name: str) -> list[Item]:
        """Border, ticks, their numbers and the names of both axes, to be drawn last."""
        items: list[Item] = [
            straight(
                [
                    (self.left, self.top),
                    (self.right, self.top),
                    (self.right, self.bottom),
                    (self.left, self.bottom),
                    (self.left, self.top),
                ],
                "edge",
                "guide",
            )
        ]
        for value in ticks(self.x, max(3, int(self.width / 90.0))):
            x = self.at(value, self.y[0])[0]
            items.append(straight([(x, self.bottom), (x, self.bottom + 5.0)], "edge", "guide"))
            items.append(Text(x, self.bottom + 18.0, number(value), "small", "middle", "soft"))
        for value in ticks(self.y, max(3, int(self.height / 60.0))):
            y = self.at(self.x[0], value)[1]
            items.append(straight([(self.left - 5.0, y), (self.left, y)], "edge", "guide"))
            items.append(Text(self.left - 9.0, y + 4.0, number(value), "small", "end", "soft"))
        items.append(Text(self.left + self.width / 2, self.bottom + 37.0, x_name, "label"))
        items.append(Text(self.left, self.top - 9.0, y_name, "label", "start"))
        return items

    def room(self) -> float:
        """How wide the numbers left of the rectangle are."""
        shown = ticks(self.y, max(3, int(self.height / 60.0)))
        return 12.0 + max((width_of(number(value), "small") for value in shown), default=0.0)


def ticks(span: Range, most: int) -> list[float]:
    """At most about ``most`` round numbers inside the range.

    >>> ticks((-1.0, 1.0), 5)
    [-1.0, -0.5, 0.0, 0.5, 1.0]
    """
    low, high = span
    rough = (high - low) / max(most, 1)
    if not 0 < rough < math.inf:
        return []
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1.0, 2.0, 2.5, 5.0) if factor * power >= rough * 0.999), 10.0 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [at * step + 0.0 for at in range(first, last + 1)]


def number(value: float) -> str:
    """A tick's number, without noise of floating point."""
    text = f"{value:.6g}"
    return "0" if text == "-0" else text.replace("-", "−")
