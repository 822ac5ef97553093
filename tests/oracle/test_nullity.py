"""The oracle against closed formulas: ranks of linear chains, two-layer networks, attention."""

from __future__ import annotations

import pytest
import torch
from tests.oracle import Nullity, measure, nullity_of, tensor_is_free
from tests.zoo import ZOO

import fiberscope as fs

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def oracle(name: str) -> Nullity:
    module, inputs = ZOO[name].make()
    return measure(fs.load(module, inputs, name=name), wide=ZOO[name].wide)


@pytest.mark.parametrize("rank", [0, 1, 5, 9])
def test_rank_of_a_product(rank: int):
    generator = torch.Generator().manual_seed(rank)
    a = torch.randn(30, rank, generator=generator, dtype=torch.float64)
    b = torch.randn(rank, 9, generator=generator, dtype=torch.float64)
    found = nullity_of(a @ b)
    assert found.rank == rank
    assert found.nullity == 9 - rank


def test_a_clear_gap_is_reported():
    diagonal = torch.diag(torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64))
    rows = torch.cat([diagonal, diagonal[:1] + diagonal[1:2]]) @ torch.ones(3, 1, dtype=torch.float64)
    found = nullity_of(torch.cat([rows, 2 * rows], 1))
    assert (found.rank, found.nullity) == (1, 1)
    assert found.gap > 1e10


@pytest.mark.parametrize(
    "name", ["linear_chain", "linear_chain_wide", "attention_softmax", "lstm_by_hand", "embedding_bag"]
)
def test_closed_formulas(name: str):
    found = oracle(name)
    assert found.nullity == ZOO[name].total
    assert found.gap > 1e6


def test_key_bias_is_free_and_query_bias_is_not():
    module, inputs = ZOO["attention_softmax"].make()
    net = fs.load(module, inputs)
    assert tensor_is_free(net, "k.bias", wide=1.0)
    assert not tensor_is_free(net, "q.bias", wide=1.0)
    assert not tensor_is_free(net, "v.bias", wide=1.0)
