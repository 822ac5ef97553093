"""Which column continues which: the bars of a staircase, read off its pivots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from fiberscope.linear.barcode import Bar


def bars_from_pivots(
    first_width: int, steps: Iterable[tuple[Sequence[int] | np.ndarray, int]]
) -> tuple[tuple[Bar, ...], list[np.ndarray]]:
    """The single bars, in order of birth and then longer first, and for each layer the bar number of each column.

    A step is ``(pivots, width)`` for a factor: column ``c < len(pivots)`` at its output continues column
    ``pivots[c]`` at its input, columns that are no pivots end, and the other ``width - len(pivots)`` columns are born.

    >>> bars, numbers = bars_from_pivots(2, [([1], 2)])
    >>> bars, [n.tolist() for n in numbers]
    (((0, 1), (0, 0), (1, 1)), [[1, 0], [0, 2]])
    """
    number = np.arange(first_width)
    numbers, births, last = [number], [0] * first_width, [0] * first_width
    for layer, (pivots, width) in enumerate(steps, start=1):
        going = number[np.asarray(pivots, dtype=np.intp)]
        number = np.concatenate([going, len(births) + np.arange(width - len(going))])
        births += [layer] * (width - len(going))
        last += [layer] * (width - len(going))
        for bar in going.tolist():
            last[bar] = layer
        numbers.append(number)
    order = sorted(range(len(births)), key=lambda s: (births[s], -last[s]))
    rename = np.empty(len(births), dtype=np.intp)
    rename[order] = np.arange(len(births))
    return tuple((births[s], last[s]) for s in order), [rename[number] for number in numbers]
