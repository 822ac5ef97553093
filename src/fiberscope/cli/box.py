"""`--box LO HI`: two numbers, or two comma lists, either of which may begin with a minus sign."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fiberscope.errors import InputError

Side = float | Sequence[float]


def side(text: str, which: str) -> Side:
    """One side of a box.

    >>> side("-0.3,-0.5", "LO")
    [-0.3, -0.5]
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--box: {which} is {text!r}; expected a number or numbers joined by commas") from None
    if not all(math.isfinite(number) for number in numbers):
        raise InputError(f"--box: {which} is {text!r}; every bound must be finite. Leave --box out to mean all inputs")
    return numbers if "," in text else numbers[0]


def _numbers(side: Side) -> list[float]:
    return [*side] if isinstance(side, Sequence) else [side]


def box(texts: tuple[str, str] | None) -> tuple[Side, Side] | None:
    """Both sides, checked against each other; None stays None.

    >>> box(("-1", "1"))
    (-1.0, 1.0)
    """
    if texts is None:
        return None
    low, high = side(texts[0], "LO"), side(texts[1], "HI")
    lows, highs = _numbers(low), _numbers(high)
    if len(lows) != len(highs) and 1 not in (len(lows), len(highs)):
        raise InputError(f"--box: LO holds {len(lows)} numbers and HI {len(highs)}; give both as many")
    count = max(len(lows), len(highs))
    lows, highs = lows * (count // len(lows)), highs * (count // len(highs))
    for at, (lo, hi) in enumerate(zip(lows, highs, strict=True)):
        if lo > hi:
            raise InputError(f"--box: LO {lo:g} is above HI {hi:g} at input {at}; swap the two arguments")
    if isinstance(low, float) and isinstance(high, float):
        return low, high
    return lows, highs
