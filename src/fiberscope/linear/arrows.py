"""The weights of a flow, bar by bar: every arrow of every bar is a rank-one matrix, and may be scaled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fiberscope.linear.exact import is_exact
from fiberscope.linear.flow import Flow


def weights(flow: Flow, scale: Callable[[int, int], int | float] | None = None) -> tuple[np.ndarray, ...]:
    """``W_j = sum_s c(s, j) b_j b_{j-1}^*`` over the bars ``s`` alive at ``j - 1`` and ``j``.

    ``scale(s, j)`` is the size ``c`` of the arrow of bar ``s`` into layer ``j``; 1 for all by default. For rationals
    give integers or rationals.

    >>> from fiberscope.linear.barcode import Barcode
    >>> weights(Flow.standard(Barcode.from_bars(1, {(0, 1): 1})), lambda bar, layer: 3)[0].tolist()
    [[3.0]]
    """
    from fiberscope.numerics.exact import rationals

    out = []
    for j in range(1, flow.length + 1):
        carried = [s for s in flow.columns[j - 1] if s in flow.place[j]]
        heads = flow.bases[j][:, [flow.place[j][s] for s in carried]]
        tails = flow.duals[j - 1][[flow.place[j - 1][s] for s in carried], :]
        if scale is not None:
            sizes = [scale(s, j) for s in carried]
            heads = heads * (np.array(sizes, dtype=object) if is_exact(heads) else np.array(sizes))
        if carried or not is_exact(heads):
            out.append(heads @ tails)
        else:  # an empty sum of rationals is a rational too
            out.append(rationals(np.zeros((len(heads), tails.shape[1]))))
    return tuple(out)


def single_bar(flow: Flow, birth: int, last: int) -> int:
    """The number of the first single bar ``(birth, last)``; ValueError if there is none."""
    return flow.bars.index((birth, last))
