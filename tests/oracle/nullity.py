"""The nullity of the Jacobian d outputs / d weights over many inputs: an upper bound of every continuous symmetry.

A one-parameter family of weights with the same outputs has its velocity in the kernel of d f_w(x) / d w for every x.
So for weights at which the group acts with a discrete stabiliser, dimension <= nullity = parameters - rank. The rank
over finitely many inputs can only be too small, so the bound errs on the safe side for the claim, never against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fiberscope.network import Network

from .sampling import random_inputs

FLOOR, CEILING = 1e-15, 1e-6


@dataclass(frozen=True)
class Nullity:
    """parameters = rank + nullity; `kept` and `dropped` are the singular values (relative) on both sides of the cut."""

    parameters: int
    rank: int
    kept: float
    dropped: float

    @property
    def nullity(self) -> int:
        """Dimension of the kernel."""
        return self.parameters - self.rank

    @property
    def gap(self) -> float:
        """kept / dropped: how clear the decision is."""
        return self.kept / max(self.dropped, 1e-300)


def nullity_of(matrix: Tensor) -> Nullity:
    """Rank by the widest gap between neighbouring singular values whose lower one is below CEILING.

    Rows are scaled to length one, then columns (a diagonal change of weight coordinates does not change the rank).
    """
    columns = matrix.shape[1]
    lengths = matrix.norm(dim=1, keepdim=True)
    matrix = (matrix / lengths.clamp_min(1e-300))[lengths[:, 0] > 1e-11]
    if not len(matrix):
        return Nullity(columns, 0, 1.0, 0.0)
    lengths = matrix.norm(dim=0, keepdim=True)
    matrix = matrix / torch.where(lengths > 1e-9, lengths, 1.0)
    values = torch.linalg.svdvals(matrix)
    values = torch.cat([values, values.new_zeros(max(columns - values.numel(), 0))])
    values = (values / values[0].clamp_min(1e-300)).clamp_min(FLOOR)
    padded = torch.cat([values, values.new_tensor([FLOOR])])
    ratios = torch.where(padded[1:] < CEILING, padded[:-1] / padded[1:], 0.0)
    rank = int(ratios.argmax()) + 1 if bool((ratios > 1.0).any()) else columns
    return Nullity(columns, rank, float(values[rank - 1]), float(padded[rank]))


def jacobian(
    net: Network,
    names: Sequence[str],
    *,
    rows: int,
    weights: Mapping[str, Tensor] | None = None,
    seed: int = 0,
    wide: float = 2.0,
    cotangents: int = 6,
) -> Tensor:
    """Random rows of the Jacobian with respect to the named weights: float64[rows, sum of their sizes]."""
    ready = {name: x.detach().double() for name, x in (weights or net.weights).items()}
    active = [ready[name].requires_grad_() for name in names]
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    while cotangents * len(found) < rows:
        outputs = net.interpret(random_inputs(net, seed * 1_000_003 + len(found), wide), ready, dtype=torch.float64)
        flat = torch.cat([y.reshape(-1).double() for y in outputs])
        # a few outputs at a time, not all: fresh inputs matter more than many outputs of one
        directions = torch.randn(cotangents, flat.numel(), generator=generator, dtype=torch.float64)
        directions *= torch.rand(cotangents, flat.numel(), generator=generator) < min(1.0, 6 / flat.numel())
        gradients = torch.autograd.grad(flat, active, directions, is_grads_batched=True, allow_unused=True)
        parts = [
            torch.zeros(cotangents, w.numel(), dtype=torch.float64) if g is None else g.reshape(cotangents, -1)
            for g, w in zip(gradients, active, strict=True)
        ]
        found.append(torch.cat(parts, 1))
    return torch.cat(found)[:rows]


def used_weights(net: Network) -> list[str]:
    """The weights that the graph uses: those that count in `net.parameters`."""
    return [name for name in net.weights if name not in set(net.unused)]


def measure(net: Network, *, seed: int = 0, wide: float = 2.0, more: float = 1.25) -> Nullity:
    """Nullity over all entries of all used weights (buffers such as running statistics are weights too)."""
    names = used_weights(net)
    size = sum(net.weights[name].numel() for name in names)
    return nullity_of(jacobian(net, names, rows=int(more * size) + 40, seed=seed, wide=wide))


def tensor_is_free(net: Network, name: str, *, seed: int = 0, wide: float = 2.0) -> bool:
    """Whether the outputs are blind to some direction of this one tensor, all others held fixed."""
    size = net.weights[name].numel()
    return nullity_of(jacobian(net, [name], rows=int(1.25 * size) + 40, seed=seed, wide=wide)).nullity > 0
