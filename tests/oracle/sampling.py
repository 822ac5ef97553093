"""Random inputs of a network, respecting integer ranges."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fiberscope.network import Network


def random_flat(net: Network, count: int, seed: int, wide: float = 1.0) -> np.ndarray:
    """`count` samples as rows of flat inputs, joined in order: float64[count, n_in]."""
    rng = np.random.default_rng(seed)
    parts = []
    for spec in net.inputs:
        if spec.dtype.is_floating_point:
            parts.append(wide * rng.standard_normal((count, spec.size)))
        else:
            low, high = spec.low or 0, spec.high if spec.high is not None else 2
            parts.append(rng.integers(low, high, (count, spec.size)).astype(np.float64))
    return np.concatenate(parts, axis=1)


def random_inputs(net: Network, seed: int, wide: float = 1.0) -> list[Tensor]:
    """Inputs at the traced shapes, as `Network.interpret` wants them."""
    batch = net.inputs[0].shape[0] if net.batched else 1
    flat = torch.from_numpy(random_flat(net, batch, seed, wide))
    inputs, start = [], 0
    for spec in net.inputs:
        part = flat[:, start : start + spec.size].reshape(spec.shape)
        inputs.append(part if spec.dtype.is_floating_point else part.round().to(spec.dtype))
        start += spec.size
    return inputs
