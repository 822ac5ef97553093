""".pt2: what torch.export.save writes is read without torch's loader, and written back so that torch reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fiberscope.network import load


class Mixed(nn.Module):
    """Splits, literals, an embedding tied to a second one, an unsaved buffer, several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 6)
        self.first, self.second = nn.Embedding(7, 4), nn.Embedding(7, 4)
        self.second.weight = self.first.weight
        self.register_buffer("steps", torch.arange(3), persistent=False)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: Tensor, i: Tensor, double: bool = True) -> dict[str, Tensor]:
        a, b = self.linear(x + self.first(i)).split(3, -1)
        y = (self.norm(a) * torch.tensor([1.0, 2.0, 3.0]) + b + self.steps).softmax(-1)
        return {"y": y.view(x.shape[0], -1), "best": b.max(-1).values, "e": self.second(i) * (2 if double else 1)}


def write(path: Path, *, dynamic: bool, decomposed: bool) -> Any:
    """Export and save; gives back the exported program."""
    args = (torch.randn(2, 3, 4), torch.randint(0, 7, (2, 3)))
    batch = torch.export.Dim("batch")
    shapes = {"x": {0: batch}, "i": {0: batch}, "double": None} if dynamic else None
    exported = torch.export.export(Mixed().eval(), args, {"double": False}, dynamic_shapes=shapes)
    exported = exported.run_decompositions() if decomposed else exported
    torch.export.save(exported, path)
    return exported


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("decomposed", [False, True])
def test_round_trip(dynamic: bool, decomposed: bool, tmp_path: Path) -> None:
    exported = write(tmp_path / "a.pt2", dynamic=dynamic, decomposed=decomposed)
    network = load(tmp_path / "a.pt2")
    assert network.batched
    assert network.aliases == {"second.weight": "first.weight"}
    assert [(s.name, s.shape, s.low, s.high) for s in network.inputs] == [
        ("x", (2, 3, 4), None, None),
        ("i", (2, 3), 0, 7),
    ]
    x, i = torch.randn(2, 3, 4), torch.randint(0, 7, (2, 3))
    for mine, theirs in zip(network.run(x, i), exported.module()(x, i, double=False).values(), strict=True):
        torch.testing.assert_close(mine, theirs)
    assert network.run(torch.randn(5, 3, 4), torch.randint(0, 7, (5, 3)))[0].shape == (5, 9)
    network.save(tmp_path / "same.pt2")
    assert load(tmp_path / "same.pt2").sha256 == network.sha256
    other = network.replace({name: tensor * 1.5 for name, tensor in network.weights.items()})
    other.save(tmp_path / "b.pt2")
    again = load(tmp_path / "b.pt2")
    assert all(torch.equal(again.weights[name], other.weights[name]) for name in other.weights)
    theirs = torch.export.load(tmp_path / "b.pt2").module()(x, i, double=False)
    for mine, output in zip(other.run(x, i), theirs.values(), strict=True):
        torch.testing.assert_close(mine, output)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_names_and_buffers_are_kept(tmp_path: Path) -> None:
    exported = write(tmp_path / "a.pt2", dynamic=False, decomposed=True)
    network = load(tmp_path / "a.pt2")
    assert set(network.state_dict()) == set(exported.state_dict)
    assert "norm.num_batches_tracked" not in network.weights
    assert network.parameters == 6 * 4 + 6 + 7 * 4 + 4 * 3


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtype_is_kept(dtype: torch.dtype, tmp_path: Path) -> None:
    module = nn.Linear(3, 2).to(dtype).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(2, 3, dtype=dtype),)), tmp_path / "a.pt2")
    network = load(tmp_path / "a.pt2")
    assert torch.equal(network.weights["weight"], module.weight.detach())
    assert network.run(torch.zeros(4, 3)).dtype == dtype  # type: ignore[union-attr]
