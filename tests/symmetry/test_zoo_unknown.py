"""Operators outside the table: what touches them is frozen and the operator named; nothing false is claimed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.oracle import measure, random_flat
from torch import Tensor, library, nn

import fiberscope as fs

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@library.custom_op("fiberscope_tests::wobble", mutates_args=())
def wobble(x: Tensor) -> Tensor:
    """x + sin(3 x) weighted by the position of the unit: no symmetry at all."""
    return x + torch.sin(3 * x) * torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)


@wobble.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def _keep(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0])


def _backward(ctx: Any, gradient: Tensor) -> Tensor:
    (x,) = ctx.saved_tensors
    return gradient * (1 + 3 * torch.cos(3 * x) * torch.arange(1, x.shape[-1] + 1, dtype=x.dtype))


wobble.register_autograd(_backward, setup_context=_keep)


UNKNOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "wobble": wobble,
    "cumsum": lambda x: torch.cumsum(x, -1),
    "cumprod": lambda x: torch.cumprod(torch.tanh(x), -1),
    "sort": lambda x: torch.sort(x, -1).values,
    "_fft_r2c": lambda x: torch.fft.rfft(x, n=6).real.repeat(1, 2)[:, :6],
    "topk": lambda x: torch.topk(x, 3, -1).values.repeat(1, 2),
    "median": lambda x: x - x.median(-1, keepdim=True).values,
    "atan2": lambda x: torch.atan2(x, x.flip(-1)),
    "logcumsumexp": lambda x: torch.logcumsumexp(x, -1),
    "linalg_vector_norm": lambda x: x / (1 + torch.linalg.vector_norm(x, ord=3, dim=-1, keepdim=True)),
    "kthvalue": lambda x: x * torch.kthvalue(x, 2, -1, keepdim=True).values,
    "_cdist_forward": lambda x: torch.cdist(x.view(-1, 2, 3), x.view(-1, 2, 3)).view(-1, 4).repeat(1, 2)[:, :6],
}
MAY_BE_KNOWN = {"sort", "topk", "linalg_vector_norm", "cumsum"}


class Interrupted(nn.Module):
    """A relu space of 5 units that nothing disturbs, then 6 units that meet the operator, then a relu space of 4."""

    def __init__(self, operator: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.a, self.b, self.c, self.d = nn.Linear(3, 5), nn.Linear(5, 6), nn.Linear(6, 4), nn.Linear(4, 2)
        self.operator = operator
        with torch.no_grad():
            for weight in self.parameters():
                weight.normal_(generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.operator(self.b(torch.relu(self.a(x))))
        return self.d(torch.relu(self.c(hidden)))


@pytest.mark.parametrize("operator", sorted(UNKNOWN))
def test_unknown_operator(operator: str):
    net = fs.load(Interrupted(UNKNOWN[operator]).double().eval(), (torch.zeros(2, 3, dtype=torch.float64),))
    symmetries = fs.symmetries(net)
    x = random_flat(net, 40, 3)
    y = net.run_flat(x)
    for seed in range(6):
        z = symmetries.random(seed=seed)(net).run_flat(x)
        assert abs(y - z).max() <= 1e-10 * abs(y).max(), f"wrong claim: {symmetries!r}"
    assert symmetries.axis >= 5 + 4, "the spaces that the operator does not touch keep their scales"
    assert symmetries.dimension <= measure(net).nullity
    if operator not in MAY_BE_KNOWN:
        assert any(operator in str(entry) for entry in symmetries.frozen), symmetries.frozen
        assert any(operator in str(space.frozen_by) for space in symmetries.spaces), symmetries.spaces


def test_data_dependent_routing_is_not_a_false_claim():
    """A mixture of experts by topk: whatever is found holds."""

    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            generator = torch.Generator().manual_seed(3)
            self.router = nn.Linear(3, 4)
            self.up = nn.Parameter(torch.empty(4, 3, 5))
            self.down = nn.Parameter(torch.empty(4, 5, 2))
            with torch.no_grad():
                for weight in self.parameters():
                    weight.normal_(generator=generator)

        def forward(self, x: Tensor) -> Tensor:
            scores, chosen = self.router(x).softmax(-1).topk(2, -1)
            hidden = torch.relu(torch.einsum("bi,bkij->bkj", x, self.up[chosen]))
            return torch.einsum("bkj,bkjo,bk->bo", hidden, self.down[chosen], scores)

    net = fs.load(Mixture().double().eval(), (torch.zeros(2, 3, dtype=torch.float64),))
    symmetries = fs.symmetries(net)
    x = random_flat(net, 60, 5)
    y = net.run_flat(x)
    for seed in range(8):
        assert abs(y - symmetries.random(seed=seed)(net).run_flat(x)).max() <= 1e-10 * abs(y).max()
    assert symmetries.dimension <= measure(net).nullity
