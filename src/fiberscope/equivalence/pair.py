"""Two networks as functions of a flat input, with the gradient of their difference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.equivalence.chain import Chain
from fiberscope.equivalence.chain_activations import derivative
from fiberscope.equivalence.domain import Domain
from fiberscope.numerics.tolerance import EVALUATION_NOISE

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(eq=False)
class Pair:
    """Two networks as functions of flat inputs, with gradients: through chains where both are, else through torch."""

    a: Network
    b: Network
    chains: tuple[Chain, Chain] | None
    domain: Domain
    evaluations: int = field(default=0)

    def outputs(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both outputs ``[N, n_out]`` in float64."""
        self.evaluations += len(x)
        if self.chains is not None:
            return self.chains[0].run(x), self.chains[1].run(x)
        return self.a.run_flat(x), self.b.run_flat(x)

    def gaps(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``max |a - b|`` of every point (0 where it is not finite) and the size of its rounding noise."""
        with np.errstate(over="ignore", invalid="ignore"):
            of_a, of_b = self.outputs(x)
            gap = np.abs(of_a - of_b).max(axis=1, initial=0.0)
            size = np.maximum(np.abs(of_a), np.abs(of_b)).max(axis=1, initial=0.0)
        fine = np.isfinite(gap) & np.isfinite(size)
        return np.where(fine, gap, 0.0), EVALUATION_NOISE * np.where(fine, size, 0.0)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Gradient of the largest ``|a_k - b_k|`` at every point, ``[N, n_in]``."""
        if self.chains is not None:
            return _chain_gradient(self.chains[0], self.chains[1], x)
        return _torch_gradient(self.a, self.b, x)


def pull(chain: Chain, pre: list[np.ndarray], seed: np.ndarray, last: int) -> np.ndarray:
    """Backpropagate ``seed`` on the value of affine map ``last`` to the input."""
    layers = chain.floats()
    g = seed @ layers[last][0]
    for l in range(last - 1, -1, -1):
        g = (g * derivative(chain.activations[l], pre[l])) @ layers[l][0]
    return g


def _chain_gradient(a: Chain, b: Chain, x: np.ndarray) -> np.ndarray:
    pre_a, pre_b = a.preactivations(x), b.preactivations(x)
    change = pre_a[-1] - pre_b[-1]
    rows = np.arange(len(x))
    output = np.abs(change).argmax(axis=1)
    seed = np.zeros_like(change)
    seed[rows, output] = np.where(change[rows, output] < 0, -1.0, 1.0)
    last = len(a.layers) - 1, len(b.layers) - 1
    return pull(a, pre_a, seed, last[0]) - pull(b, pre_b, seed, last[1])


def _torch_gradient(a: Network, b: Network, x: np.ndarray) -> np.ndarray:
    import torch

    def flat(net: Network, points: torch.Tensor) -> torch.Tensor:
        batch = net.inputs[0].shape[0] if net.batched else 1
        rows = []
        for start in range(0, len(points), batch):
            part = points[start : start + batch]
            count = len(part)
            if count < batch:
                part = torch.cat([part, part[-1:].expand(batch - count, -1)])
            inputs, at = [], 0
            for spec in net.inputs:
                piece = part[:, at : at + spec.size].reshape(spec.shape).contiguous()
                inputs.append(piece if spec.dtype.is_floating_point else piece.detach().round().to(spec.dtype))
                at += spec.size
            out = net.interpret(inputs, net.weights, dtype=torch.float64)
            rows.append(torch.cat([y.reshape(batch, -1).to(torch.float64) for y in out], dim=1)[:count])
        return torch.cat(rows)

    with torch.enable_grad():
        points = torch.from_numpy(np.array(x)).requires_grad_(True)
        largest = (flat(a, points) - flat(b, points)).abs().max(dim=1).values.sum()
        if not largest.requires_grad:
            return np.zeros_like(x)
        (gradient,) = torch.autograd.grad(largest, points, allow_unused=True)
    return np.zeros_like(x) if gradient is None else np.nan_to_num(gradient.numpy())
