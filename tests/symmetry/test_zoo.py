"""Every architecture of the zoo: the claimed group keeps the function, obeys the laws, is as large as it must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.oracle import random_flat, tensor_is_free
from tests.zoo import ZOO, Case
from tests.zoo.shared import grouped, network, symmetries

import fiberscope as fs
from fiberscope.network import Network

NAMES = grouped(sorted(ZOO))
KEEPS, BREAKS = 1e-10, 1e-6
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def loaded(name: str) -> tuple[Case, Network, Any]:
    """The case, its network, its symmetries."""
    return ZOO[name], network(name), symmetries(name)


def outputs(net: Network, x: np.ndarray) -> np.ndarray:
    y = net.run_flat(x)
    assert np.isfinite(y).all()
    return y


def change(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference relative to the largest output."""
    return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30))


def samples(case: Case, net: Network, count: int = 24) -> np.ndarray:
    return random_flat(net, count, seed=11, wide=case.wide)


def furthest(a: Network, b: Network) -> float:
    """Largest relative difference between the weights of two networks, tensor by tensor."""
    return max(
        float((a.weights[name] - b.weights[name]).abs().max() / a.weights[name].abs().max().clamp_min(1e-30))
        for name in a.weights
        if a.weights[name].numel()
    )


def changed(net: Network, other: Network) -> list[str]:
    return [name for name in net.weights if not torch.equal(net.weights[name], other.weights[name])]


@pytest.mark.parametrize("name", NAMES)
def test_random_elements_keep_the_function(name: str):
    case, net, group = loaded(name)
    x = samples(case, net)
    y = outputs(net, x)
    for seed in range(4):
        other = group.random(seed=seed)(net)
        assert change(y, outputs(other, x)) < KEEPS, f"{name}, seed {seed}: {group!r}"


@pytest.mark.parametrize("name", NAMES)
def test_the_group_is_as_large_as_it_must_be(name: str):
    case, net, group = loaded(name)
    why = f"{name} ({case.source}): {group.spaces}; frozen: {group.frozen}"
    assert group.dimension == group.axis + group.translation + group.invisible
    assert group.axis >= case.axis, why
    for fact in case.spaces:
        assert any(fact.holds(space) for space in group.spaces), f"no {fact} in {why}"
    listed = {weight for space in group.spaces for weight, _ in space.weights}
    assert not listed & set(net.unused), "weights that the graph never reads are listed as symmetric"
    if group.dimension > 0 or group.log10_order > 0:
        assert any(changed(net, group.random(seed=seed)(net)) for seed in range(8)), "a group, but no element moves"


@pytest.mark.parametrize("name", NAMES)
def test_forgetting_one_tensor_breaks_it(name: str):
    """Putting one old tensor back changes the outputs, unless the oracle proves this tensor free by itself."""
    case, net, group = loaded(name)
    x = samples(case, net, 64)
    y = outputs(net, x)
    moved = group.random(seed=1)(net)
    for tensor in changed(net, moved):
        torn = moved.replace({tensor: net.weights[tensor]})
        if change(y, torn.run_flat(x)) <= BREAKS:
            free = tensor_is_free(net, tensor, wide=case.wide) or not varies(net, tensor, moved, x)
            assert free, f"{name}: {tensor} was changed for nothing"


def varies(net: Network, tensor: str, moved: Network, x: np.ndarray) -> bool:
    """Whether the old network notices the new tensor; if not, the change of this tensor is a symmetry by itself."""
    return change(net.run_flat(x), net.replace({tensor: moved.weights[tensor]}).run_flat(x)) > BREAKS


@pytest.mark.parametrize("name", NAMES)
def test_group_laws(name: str):
    _, net, group = loaded(name)
    g, h, k = (group.random(seed=seed) for seed in (2, 3, 4))
    assert furthest(g(h(net)), (g @ h)(net)) < 1e-9
    assert furthest(net, g.inverse()(g(net))) < 1e-9
    assert furthest(net, g(g.inverse()(net))) < 1e-9
    assert furthest(net, (g @ g.inverse())(net)) < 1e-9
    assert furthest(((g @ h) @ k)(net), (g @ (h @ k))(net)) < 1e-9
    assert not changed(net, group.identity()(net))
    assert furthest(group.random(seed=2)(net), g(net)) == 0.0, "the same seed must give the same element"


@pytest.mark.parametrize("name", NAMES)
def test_the_group_belongs_to_the_graph(name: str):
    """The same group is found for an equivalent network, and its elements still act on that one."""
    case, net, group = loaded(name)
    moved = group.random(seed=5)(net)
    again = fs.symmetries(moved)
    assert (again.axis, again.translation, again.invisible) == (
        group.axis,
        group.translation,
        group.invisible,
    )
    x = samples(case, net, 8)
    assert change(outputs(moved, x), outputs(group.random(seed=6)(moved), x)) < KEEPS
