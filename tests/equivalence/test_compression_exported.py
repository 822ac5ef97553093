"""A compressed .pt2 file is called like the original: the same number of samples, or any, and a tensor in return."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, export, save
from torch.export import load as read

import fiberscope as fs
import fiberscope_verify


class Residual(nn.Module):
    """One block, a duplicate in it."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down, self.last = nn.Linear(3, 5), nn.Linear(5, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(x + self.down(torch.relu(self.up(x))))

    def plant(self) -> None:
        self.up.weight[1], self.up.bias[1] = self.up.weight[0], self.up.bias[0]
        self.down.weight.copy_(torch.round(self.down.weight * 64) / 64)


class Convolutional(nn.Module):
    """A flattening with the number of samples in it, a dead channel."""

    def __init__(self) -> None:
        super().__init__()
        self.slide, self.last = nn.Conv2d(1, 4, 2), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.slide(x)).view(x.shape[0], -1))

    def plant(self) -> None:
        self.last.weight[:, 8:12] = 0


@pytest.mark.parametrize("samples", [1, 4, "any"])
@pytest.mark.parametrize("kind", [Residual, Convolutional])
def test_called_like_the_original(tmp_path: Path, kind: type[nn.Module], samples: int | str) -> None:
    generator = torch.Generator().manual_seed(2)
    module, shape = kind().eval(), (3,) if kind is Residual else (1, 3, 3)
    with torch.no_grad():
        for p in module.parameters():
            p.uniform_(-0.5, 0.5, generator=generator)
        module.plant()  # type: ignore[operator]
    count = 2 if isinstance(samples, str) else samples
    free = ({0: Dim("n")},) if isinstance(samples, str) else None
    save(export(module, (torch.zeros(count, *shape),), dynamic_shapes=free), tmp_path / "a.pt2")
    paths = [str(tmp_path / name) for name in ("a.pt2", "b.pt2", "proof.fsc")]
    result = fs.compress(fs.load(paths[0]), out=paths[1], certificate=paths[2])
    assert result.units_after == result.units_before - 1
    assert fiberscope_verify.verify(paths[2], *paths[:2]).valid
    original, smaller = (read(path).module() for path in paths[:2])
    for n in (1, 7) if free else (count,):
        x = torch.randn(n, *shape, generator=generator)
        assert isinstance(smaller(x), Tensor)
        torch.testing.assert_close(smaller(x), original(x))
    if not free:
        with pytest.raises((AssertionError, RuntimeError)):
            smaller(torch.zeros(count + 1, *shape))
