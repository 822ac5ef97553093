"""Compression where inputs are whole numbers, or a box makes no sense: an answer, never a crash."""

from __future__ import annotations

import pytest
import torch
from tests.equivalence.test_compression_graph import compress, filled, made, plant
from torch import Tensor, nn

import fiberscope as fs
from fiberscope.errors import InputError


class Embedded(nn.Module):
    """Whole numbers, looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.c1, self.c2 = nn.Embedding(11, 6), nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.c2(self.c1(self.table(x).mean(1)).relu())


def test_whole_numbers_on_a_box():
    module, example = filled(Embedded(), 0), torch.zeros(2, 5, dtype=torch.long)
    with torch.no_grad():
        module.c2.weight[:, 2] = 0.0
    net = fs.load(module, (example,))
    result = compress(net, box=(0, 3), budget=2)
    assert (result.methods["dead"], result.error_bound) == (1, 0.0)
    with pytest.raises(InputError, match="whole number"):
        compress(net, box=(0.2, 0.7))


def test_a_box_without_sense_is_no_crash():
    module, example, first = made("branches", "relu")
    plant(module, "relu", first)
    net = fs.load(module, (example,))
    with pytest.raises(InputError, match="give a smaller one"):
        compress(net, box=(1e300, 1.1e308), budget=2)
    result = compress(net, box=(1e200, 1e201), budget=2)
    assert result.units_after <= result.units_before
