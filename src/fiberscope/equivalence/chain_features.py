"""Marks that tell parallel units apart by what the rest of the network does with them.

A fixed random message pass over the chain in canonical scales: forward marks come from the incoming rows, backward
marks from the outgoing columns. Both are equal for units that correspond under permutations and allowed scales
(up to sign where the activation is odd, and up to rounding), and differ for units that merely share a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.chain_activations import law

_WIDTH = 12


@dataclass(frozen=True, eq=False)
class Features:
    """``forward[l]`` and ``backward[l]``: ``[units, width]`` marks of hidden layer ``l`` (0-based)."""

    forward: list[np.ndarray]
    backward: list[np.ndarray]

    def at(self, l: int, sign: str | None) -> np.ndarray:
        """Both marks of one hidden layer side by side (they change sign together, or not at all)."""
        forward = np.abs(self.forward[l]) if sign == "even" else self.forward[l]
        return np.concatenate([forward, self.backward[l]], axis=1)


def canonical_scales(chain: Chain) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases after dividing each hidden unit by its largest incoming entry, bias included.

    The scale is pushed on into the next layer, so the result is the same for every member of the orbit of positive
    scalings up to the order (and the sign) of the units: bit-equal under power-of-two scales.
    """
    out = []
    factor = np.ones(chain.widths[0])
    for l, (weight, bias) in enumerate(chain.floats()):
        weight = weight * factor
        if l == len(chain.activations):
            out.append((weight, bias))
            break
        rule = law(chain.activations[l])
        scale = np.ones(len(bias))
        if rule.log is not None:
            scale = np.maximum(np.abs(weight).max(axis=1, initial=0.0), np.abs(bias))
            scale = np.where(scale > 0, scale, 1.0)
        out.append((weight / scale[:, None], bias / scale))
        factor = rule.multipliers(scale)
    return out


def features(chain: Chain) -> Features:
    """Compute (once per chain) the marks of all hidden units."""
    if "features" not in chain.memory:
        chain.memory["features"] = _compute(chain)
    return chain.memory["features"]  # type: ignore[return-value]


def _compute(chain: Chain) -> Features:
    rng = np.random.default_rng(20240229)
    layers = canonical_scales(chain)
    depth = len(layers)
    state = rng.standard_normal((chain.widths[0], _WIDTH))
    forward: list[np.ndarray] = []
    for l in range(depth - 1):
        weight, bias = layers[l]
        direction = rng.standard_normal(_WIDTH)
        mixed = weight @ state + np.outer(bias, direction)
        even = law(chain.activations[l]).sign == "even"
        size = np.sqrt((mixed**2).mean()) or 1.0
        forward.append(np.tanh(mixed / size))
        state = np.abs(forward[-1]) if even else forward[-1]
    backward: list[np.ndarray] = [np.zeros((0, _WIDTH))] * (depth - 1)
    state = rng.standard_normal((chain.widths[-1], _WIDTH))
    for l in range(depth - 2, -1, -1):
        weight, _ = layers[l + 1]
        mixed = weight.T @ state
        size = np.sqrt((mixed**2).mean()) or 1.0
        backward[l] = np.tanh(mixed / size)
        left, right = rng.standard_normal((2, _WIDTH, _WIDTH)) / np.sqrt(_WIDTH)
        # the sum over these units must not see their signs: odd in the row's sign, odd in both marks' common sign
        if law(chain.activations[l]).sign == "even":
            state = (forward[l] @ left) * (1.0 + backward[l] @ right)
        else:
            state = forward[l] @ left + backward[l] @ right
    return Features(forward, backward)
