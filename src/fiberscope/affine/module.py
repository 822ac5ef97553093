"""A network on a graph as an ``nn.Module``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiberscope.activations.in_torch import torch_function


class DagModule(nn.Module):
    """Block after block: gather the parents, apply the affine map, then the activation; the last block is the output.

    Every block is ``(activation, nodes it makes, parents, W, b)`` as `fiberscope.affine.to_network.blocks` gives them.
    """

    def __init__(self, blocks: list[Any], n_inputs: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.names: list[str] = []
        self.sources: list[list[int]] = []
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        parts: list[np.ndarray] = [np.arange(n_inputs)]
        for name, units, parents, weight, bias in blocks:
            needed = [k for k, held in enumerate(parts) if np.isin(parents, held).any()] or [0]
            columns = np.concatenate([parts[k] for k in needed])
            place = {int(p): j for j, p in enumerate(columns)}
            full = np.zeros((len(bias), len(columns)))
            full[:, [place[int(p)] for p in parents]] = weight
            self.weights.append(nn.Parameter(torch.from_numpy(full).to(dtype), requires_grad=False))
            self.biases.append(nn.Parameter(torch.from_numpy(np.array(bias)).to(dtype), requires_grad=False))
            self.sources.append(needed)
            self.names.append(name)
            if name:
                parts.append(units)

    def forward(self, x: Tensor) -> Tensor:
        """x: [batch, n_in] -> [batch, n_out]."""
        values = [x]
        for name, source, weight, bias in zip(self.names, self.sources, self.weights, self.biases, strict=True):
            joined = values[source[0]] if len(source) == 1 else torch.cat([values[k] for k in source], dim=1)
            z = F.linear(joined, weight, bias)
            if not name:
                return z
            values.append(torch_function(name)(z))
        raise AssertionError("the last block is the output")
