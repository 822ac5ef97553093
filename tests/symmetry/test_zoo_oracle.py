"""Claims against brute force: no group is larger than the kernel of the Jacobian."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from tests.oracle import Nullity, jacobian, measure, nullity_of
from tests.oracle.nullity import used_weights
from tests.zoo import ZOO
from tests.zoo.shared import grouped, network

import fiberscope as fs

SMALL = sorted(name for name, case in ZOO.items() if not case.heavy)
HEAVY = sorted(name for name, case in ZOO.items() if case.heavy)
EVERY = [*grouped(SMALL), *grouped(HEAVY, pytest.mark.slow)]
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@cache
def oracle(name: str) -> Nullity:
    return measure(network(name), wide=ZOO[name].wide)


@pytest.mark.parametrize("name", EVERY)
def test_the_oracle_agrees_with_the_formula(name: str):
    """Where theory gives the dimension of the whole fiber, the oracle finds exactly that."""
    case = ZOO[name]
    found = oracle(name)
    if case.total is not None:
        assert found.nullity == case.total, found
    assert found.nullity >= max(case.axis, case.theory or 0), found


@pytest.mark.parametrize("name", EVERY)
def test_dimension_is_at_most_the_nullity(name: str):
    symmetries = fs.symmetries(network(name))
    found = oracle(name)
    assert symmetries.dimension <= found.nullity, f"{symmetries!r} but {found}"


@pytest.mark.parametrize("name", EVERY)
def test_tangent_vectors_are_blind_and_span_the_dimension(name: str):
    """Every vector of the Lie algebra lies in the kernel of the Jacobian; they span what `dimension` says."""
    case, net = ZOO[name], network(name)
    symmetries = fs.symmetries(net)
    names = used_weights(net)
    weights = {n: net.weights[n].double().numpy() for n in names}
    algebra = symmetries.lie_algebra()
    vectors = []
    for generator in algebra.generators():
        moved = algebra.tangent(generator, weights)
        assert set(moved) <= set(names)
        vectors.append(np.concatenate([np.ravel(moved.get(n, np.zeros_like(weights[n]))) for n in names]))
    assert len(vectors) == len(algebra)
    assert len(vectors) >= symmetries.dimension
    if not vectors:
        return
    tangents = torch.from_numpy(np.stack(vectors))
    tangents = tangents / tangents.norm(dim=1, keepdim=True)
    rows = jacobian(net, names, rows=60, wide=case.wide)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-300)
    assert float((rows @ tangents.T).abs().max()) < 1e-9
    assert nullity_of(tangents.T).rank == symmetries.dimension
