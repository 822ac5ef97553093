"""Claims against brute force: no group is larger than the kernel of the Jacobian."""

from __future__ import annotations

import pytest
import torch
from tests.oracle import jacobian, measure, nullity_of
from tests.oracle.nullity import used_weights
from tests.zoo import ZOO

import fiberscope as fs
from fiberscope.network import Network

SMALL = sorted(name for name, case in ZOO.items() if not case.heavy)
HEAVY = sorted(name for name, case in ZOO.items() if case.heavy)
EVERY = [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in HEAVY)]
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def network(name: str) -> Network:
    torch.set_num_threads(1)
    module, inputs = ZOO[name].make()
    return fs.load(module, inputs, name=name)


@pytest.mark.parametrize("name", EVERY)
def test_the_oracle_agrees_with_the_formula(name: str):
    """Where theory gives the dimension of the whole fiber, the oracle finds exactly that."""
    case = ZOO[name]
    found = measure(network(name), wide=case.wide)
    if case.total is not None:
        assert found.nullity == case.total, found
    assert found.nullity >= max(case.axis, case.theory or 0), found


@pytest.mark.parametrize("name", EVERY)
def test_dimension_is_at_most_the_nullity(name: str):
    case, net = ZOO[name], network(name)
    symmetries = fs.symmetries(net)
    found = measure(net, wide=case.wide)
    if case.free:
        assert symmetries.dimension <= found.nullity, f"{symmetries!r} but {found}"


@pytest.mark.parametrize("name", EVERY)
def test_tangent_vectors_are_blind_and_independent(name: str):
    """Every vector of the Lie algebra lies in the kernel of the Jacobian; they span what `dimension` says."""
    case, net = ZOO[name], network(name)
    symmetries = fs.symmetries(net)
    names = used_weights(net)
    vectors = [
        torch.cat(
            [v[n].double().reshape(-1) if n in v else torch.zeros(net.weights[n].numel()).double() for n in names]
        )
        for v in symmetries.lie_algebra()
    ]
    assert len(vectors) == symmetries.dimension
    if not vectors:
        return
    tangents = torch.stack(vectors)
    tangents = tangents / tangents.norm(dim=1, keepdim=True)
    rows = jacobian(net, names, rows=60, wide=case.wide)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-300)
    assert float((rows @ tangents.T).abs().max()) < 1e-9
    if case.free:
        assert nullity_of(tangents.T).rank == symmetries.dimension
