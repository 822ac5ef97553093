"""A network as one matrix: rows are units then outputs, columns inputs then units, beside the vector of biases.

Flips and relabellings act on it; distances are Euclidean in it. Positive scalings are balanced away first: a unit of a
homogeneous activation (degree k) is scaled by s = (|out| / |in|)^(1/(k+1)), which makes the norm of its incoming row
(bias included) and of its outgoing column equal; repeated until nothing moves (for ReLU this minimises the sum of all
squares over the scalings, a convex problem in log s).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fiberscope.affine.dag import DagNetwork, matrix
from fiberscope.affine.group import Bundle, bundles
from fiberscope.affine.scalar import nearest
from fiberscope.errors import InputError


@dataclass(frozen=True)
class Dense:
    """``weight`` [units + outputs, inputs + units], ``bias`` [units + outputs]; flip data per unit (lam 0: no flip)."""

    n_inputs: int
    weight: np.ndarray
    bias: np.ndarray
    lam: np.ndarray
    gamma: np.ndarray
    mu: np.ndarray

    @property
    def n_units(self) -> int:
        """Number of hidden units."""
        return len(self.lam)

    def moved(self, order: np.ndarray, turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``(weight, bias)`` with unit ``order[k]`` at place k, those in ``turned`` (old numbers) turned round."""
        n, u = self.n_inputs, self.n_units
        lam = np.where(turned, self.lam, 1.0)
        mu = np.where(turned, self.mu, 0.0)
        sign = np.where(turned, -1.0, 1.0)
        weight = self.weight.copy()
        weight[:, n:] /= lam
        bias = self.bias - weight[:, n:] @ mu
        weight[:u] *= sign[:, None]
        bias[:u] = np.where(turned, self.gamma - bias[:u], bias[:u])
        rows = np.concatenate([order, np.arange(u, len(bias))])
        columns = np.concatenate([np.arange(n), n + order])
        return weight[np.ix_(rows, columns)], bias[rows]


def dense(net: DagNetwork) -> Dense:
    """The matrix of a network, its homogeneous units balanced.

    >>> net = DagNetwork.from_layers([([[8.0]], None), ([[2.0]], None)], "relu")
    >>> dense(net).weight.tolist()
    [[4.0, 0.0], [0.0, 4.0]]
    """
    n, u = net.n_inputs, len(net.units)
    small, bias, parents = matrix([*(unit.row for unit in net.units), *net.outputs])
    weight = np.zeros((u + net.n_outputs, n + u))
    weight[:, parents] = small
    flips = [net.law(unit.activation).flip for unit in net.units]
    lam, gamma, mu = (np.array([nearest(f[k]) if f else 0.0 for f in flips]) for k in range(3))
    alone = {bundle.units[0] for group in bundles(net).values() for bundle in group if _single(bundle)}
    degree = {i: net.law(net.units[i].activation).degree for i in alone}
    balance(weight, bias, n, {i: k for i, k in degree.items() if k is not None})
    return Dense(n, weight, bias, lam, gamma, mu)


def _single(bundle: Bundle) -> bool:
    return len(bundle.units) == 1 and not bundle.frozen


def balance(weight: np.ndarray, bias: np.ndarray, n_inputs: int, degree: dict[int, int], rounds: int = 10_000) -> None:
    """Make incoming and outgoing norms equal, in place; units that read or feed nothing stay as they are.

    Errors: InputError when it does not settle.
    """
    for _ in range(rounds):
        largest = 0.0
        for unit, k in degree.items():
            into = np.sqrt(np.dot(weight[unit], weight[unit]) + bias[unit] ** 2)
            out = np.sqrt(np.dot(weight[:, n_inputs + unit], weight[:, n_inputs + unit]))
            if into == 0 or out == 0:
                continue
            scale = (out / into) ** (1.0 / (k + 1))
            weight[unit] *= scale
            bias[unit] *= scale
            weight[:, n_inputs + unit] /= scale**k
            largest = max(largest, abs(np.log(scale)))
        if largest < 1e-14:
            return
    if largest > 1e-9:
        raise InputError("the scalings of this network do not settle when incoming and outgoing norms are made equal")
