"""The difference of two matched chains, carried through the layers as a quantity of its own.

With a's weights moved into b's coordinates, ``h_a = h_b + d`` obeys ``D = W_b d + dW (h_b + d) + db`` before and
``d = rho(z_b + D) - rho(z_b)`` after an activation. So a difference of one unit in the last place of one weight is
seen with full relative accuracy, where subtracting two outputs would only show rounding noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.chain_activations import derivative, law, value
from fiberscope.equivalence.chain_check import Judgement
from fiberscope.equivalence.chain_match import Matching

Unit = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Difference:
    """``b`` (reduced) with the change of every weight and bias that leads from it to a in b's coordinates."""

    b: Chain
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    def gaps(self, x: np.ndarray) -> np.ndarray:
        """``max |a - b|`` of every input ``[N, n_in]``, to first order accurate in tiny changes."""
        h, d = x, np.zeros_like(x)
        layers = self.b.floats()
        with np.errstate(all="ignore"):
            for l, (weight, bias) in enumerate(layers):
                z = h @ weight.T + bias
                change = d @ weight.T + (h + d) @ self.weights[l].T + self.biases[l]
                if l == len(layers) - 1:
                    return np.nan_to_num(np.abs(change).max(axis=1, initial=0.0), nan=0.0, posinf=0.0)
                name = self.b.activations[l]
                h = value(name, z)
                small = np.abs(change) < 1e-7 * np.abs(z)
                d = np.where(small, derivative(name, z) * change, value(name, z + change) - h)
        raise AssertionError("a chain has a last layer")

    def targets(self, most: int) -> list[tuple[Unit, ...]]:
        """Sets of hidden units of b that must be awake for a changed weight to matter, largest change first."""
        found: list[tuple[float, tuple[Unit, ...]]] = []
        last = len(self.weights) - 1
        for l, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            base, offset = self.b.floats()[l]
            size = np.maximum(np.abs(base).max(axis=1, initial=0.0), np.abs(offset))
            size = np.where(size > 0, size, 1.0)[:, None]
            joined = np.abs(np.column_stack([weight, bias])) / size
            for k, j in np.argwhere(joined > 0)[: 4 * most]:
                units = [(l - 1, int(j))] if l > 0 and j < weight.shape[1] else []
                units += [(l, int(k))] if l < last else []
                if units:
                    found.append((float(joined[k, j]), tuple(units)))
        found.sort(key=lambda item: -item[0])
        return list(dict.fromkeys(units for _, units in found))[:most]


def difference(a: Chain, b: Chain, matching: Matching, judgement: Judgement) -> Difference:
    """Move a's weights along the matching and subtract b's (in extended precision)."""
    weights, biases = [], []
    order, factor = np.arange(a.widths[0]), np.ones(a.widths[0], dtype=np.longdouble)
    wide = np.longdouble
    for l, ((weight_a, bias_a), (weight_b, bias_b)) in enumerate(zip(a.floats(), b.floats(), strict=True)):
        last = l == len(matching.perms)
        rows = np.arange(len(bias_a)) if last else matching.perms[l]
        scale = np.ones(len(rows), dtype=wide) if last else judgement.scales[l].astype(wide)
        with np.errstate(all="ignore"):
            moved = weight_a[np.ix_(rows, order)].astype(wide) * scale[:, None] / factor
            weights.append(np.nan_to_num((moved - weight_b).astype(np.float64)))
            biases.append(np.nan_to_num((bias_a[rows] * scale - bias_b).astype(np.float64)))
        order = rows
        if not last:
            factor = law(a.activations[l]).multipliers(judgement.scales[l]).astype(wide)
    return Difference(b, tuple(weights), tuple(biases))
