"""Bounds of ReLU chains on boxes by symbolic linear functions of the input, many boxes at once.

Every unit is enclosed between two affine functions of ``e`` in ``[-1, 1]^n``, where ``x = centre + radius * e``.
Affine maps act on them by the sign split of the weight; ReLU by its chord from above and a line through zero from
below (Wang et al., Neurify, 2018; Singh et al., DeepPoly, 2019). The difference of two networks is bounded by the
difference of the enclosing functions before the box is put in, so the dependence on the input cancels.
Plain float64: these bounds steer the splitting, the certificate rests on ``fiberscope_verify``'s own rigorous bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.equivalence.chain import Chain
from fiberscope.numerics.tolerance import BOUND_SLACK


@dataclass(frozen=True, eq=False)
class Enclosure:
    """Affine functions below and above: ``[N, units, n + 1]``, the constant in the last place."""

    lower: np.ndarray
    upper: np.ndarray


def can_bound(chain: Chain) -> bool:
    """Whether every activation is ReLU or a leaky ReLU with slope in [0, 1]."""
    return all(slope(name) is not None for name in chain.activations)


def slope(name: str) -> float | None:
    """Slope on the negative side, None for other activations."""
    if name == "relu":
        return 0.0
    if name.startswith("leaky_relu("):
        value = float(name[len("leaky_relu(") : -1])
        return value if 0.0 <= value <= 1.0 else None
    return None


def smallest(functions: np.ndarray) -> np.ndarray:
    """Minimum over the box of affine functions ``[..., n + 1]``."""
    return functions[..., -1] - np.abs(functions[..., :-1]).sum(axis=-1)


def largest(functions: np.ndarray) -> np.ndarray:
    """Maximum over the box of affine functions ``[..., n + 1]``."""
    return functions[..., -1] + np.abs(functions[..., :-1]).sum(axis=-1)


def enclose(chain: Chain, low: np.ndarray, high: np.ndarray) -> Enclosure:
    """Enclose the outputs of a chain on boxes ``low, high``: ``[N, n]`` each."""
    count, size = low.shape
    weight, bias = chain.floats()[0]
    functions = np.empty((count, len(bias), size + 1))
    functions[..., :-1] = weight[None] * (0.5 * (high - low))[:, None, :]
    functions[..., -1] = (0.5 * (high + low)) @ weight.T + bias
    lower, upper = functions, functions
    for name, (weight, bias) in zip(chain.activations, chain.floats()[1:], strict=True):
        lower, upper = _activate(lower, upper, slope(name) or 0.0)
        positive, negative = np.maximum(weight, 0.0), np.minimum(weight, 0.0)
        if lower is upper:
            lower = upper = np.matmul(weight, lower)
        else:
            lower, upper = (
                np.matmul(positive, lower) + np.matmul(negative, upper),
                np.matmul(positive, upper) + np.matmul(negative, lower),
            )
        lower[..., -1] += bias
        if upper is not lower:
            upper[..., -1] += bias
    return Enclosure(lower, upper)


def _activate(lower: np.ndarray, upper: np.ndarray, slope: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = smallest(lower), largest(upper)
    if bool((low >= 0).all()):
        return lower, upper
    upper_low, lower_high = smallest(upper), largest(lower)
    # above: the chord of the upper function's own range
    span = np.where(high > upper_low, high - upper_low, 1.0)
    chord = np.where(upper_low >= 0, 1.0, np.where(high <= 0, slope, (high - slope * upper_low) / span))
    above = upper * chord[..., None]
    above[..., -1] += np.where((upper_low < 0) & (high > 0), (slope - chord) * upper_low, 0.0)
    # below: a line through zero, the steeper the more of the range is positive
    line = np.where(low >= 0, 1.0, np.where(lower_high <= 0, slope, np.where(lower_high > -low, 1.0, slope)))
    return lower * line[..., None], above


def difference(a: Chain, b: Chain, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upper bounds ``[N]`` of ``max |a - b|`` over each box, and the weight ``[N, n]`` of each input in them."""
    of_a, of_b = enclose(a, low, high), enclose(b, low, high)
    top = of_a.upper - of_b.lower
    bottom = of_a.lower - of_b.upper
    above, below = largest(top), -smallest(bottom)
    size = np.maximum(above, below)
    output = size.argmax(axis=1)
    rows = np.arange(len(low))
    bound = size[rows, output]
    scale = np.maximum(largest(of_a.upper), -smallest(of_a.lower)).max(axis=1)
    spread = np.abs(of_a.upper[rows, output, :-1]) + np.abs(of_a.lower[rows, output, :-1])
    spread += np.abs(of_b.upper[rows, output, :-1]) + np.abs(of_b.lower[rows, output, :-1])
    return bound + BOUND_SLACK * (np.abs(scale) + bound) * 1e-3, spread
