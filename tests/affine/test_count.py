"""Counting and listing, against brute force over grids of weights and over the whole group."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from tests.affine.planting import planted, random_dag

from fiberscope.affine.canonical import canonical_form
from fiberscope.affine.count import count_networks, decimal, group_order
from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.enumerate import elements, networks
from fiberscope.affine.group import Element, act, bundles
from fiberscope.errors import InputError


def mlp(widths: tuple[int, ...], name: str = "tanh", seed: int = 0) -> DagNetwork:
    rng = np.random.default_rng(seed)
    sizes = list(itertools.pairwise(widths))
    return DagNetwork.from_layers([(rng.normal(size=(o, i)), rng.normal(size=o)) for i, o in sizes], name)


def test_two_two_three_one_tanh():
    net = mlp((2, 2, 3, 1))
    found = count_networks(net)
    assert (found.count, found.complete) == (384, True)
    x = np.random.default_rng(1).normal(size=(50, 2))
    before, form = net.evaluate(x), canonical_form(net)
    listed = list(networks(net))
    assert listed[0] == net
    assert len({(n.units, n.outputs) for n in listed}) == len(listed) == 384
    for other in listed:
        np.testing.assert_allclose(other.evaluate(x), before, atol=1e-13)
        assert canonical_form(other) == form


@pytest.mark.parametrize("seed", [0, 1])
def test_a_chain_of_two_units_with_a_skip_against_every_network_on_a_grid(seed: int):
    """u = tanh(a x + b), v = tanh(c x + d u + e), out = p x + q u + r v + s: all 5^9 networks over a grid."""
    rng = np.random.default_rng(seed)
    a, b, c, d, e, p, q, r, s = rng.choice([-2.0, -1.0, 1.0, 2.0], size=9)
    units = (Unit("tanh", Row.of({0: a}, b)), Unit("tanh", Row.of({0: c, 1: d}, e)))
    net = DagNetwork(1, units, (Row.of({0: p, 1: q, 2: r}, s),))
    points = np.array([0.13, -0.57, 0.91, 1.71, -2.3])
    want = net.evaluate(points[:, None])[:, 0]
    grid = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    A, B, C, D, E, P, Q, R = np.meshgrid(*[grid] * 8, indexing="ij", sparse=True)
    values = []
    for x in points:
        u = np.tanh(A * x + B)
        v = np.tanh(C * x + D * u + E)
        values.append(P * x + Q * u + R * v)
    shift = want[0] - values[0]  # the output bias is what is left over
    equal = np.abs(shift - np.round(shift)) + (np.abs(shift) > 2.1) < 1e-9
    for k in range(1, len(points)):
        equal = equal & (np.abs(values[k] + shift - want[k]) < 1e-9)
    assert count_networks(net).count == int(equal.sum()) == 4


def test_two_units_in_a_layer_and_a_linear_skip_against_every_network_on_a_grid():
    units = (Unit("tanh", Row.of({0: 1.0}, 2.0)), Unit("tanh", Row.of({0: -2.0}, 1.0)))
    net = DagNetwork(1, units, (Row.of({0: 1.0, 1: -1.0, 2: 2.0}, 1.0),), (1, 1))
    points = np.array([0.13, -0.57, 0.91, 1.71])
    want = net.evaluate(points[:, None])[:, 0]
    grid = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    A, B, C, D, P, Q, R, S = np.meshgrid(*[grid] * 8, indexing="ij", sparse=True)
    equal = True
    for x, y in zip(points, want, strict=True):
        equal = equal & (np.abs(P * x + Q * np.tanh(A * x + B) + R * np.tanh(C * x + D) + S - y) < 1e-9)
    assert count_networks(net).count == int(np.sum(equal)) == 8


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "gaussian", "relu6"])
def test_the_group_gives_as_many_weight_settings_as_counted(name: str):
    """Graph with skips, layers of two, two and one units: every element by naive matrices, distinct ones counted."""
    rng = np.random.default_rng(3)
    rows = [({0, 1}, 1), ({0, 1}, 1), ({0, 2, 3}, 2), ({1, 2, 3}, 2), ({0, 2, 5}, 3)]
    units = tuple(
        Unit(name, Row.of({p: float(rng.integers(1, 30)) for p in ps}, float(rng.integers(1, 9)))) for ps, _ in rows
    )
    out = (Row.of({p: float(rng.integers(1, 9)) for p in range(7)}),)
    net = DagNetwork(2, units, out, tuple(layer for _, layer in rows))
    flips = {"tanh": (-1, 0, 0), "sigmoid": (-1, 0, 1), "gaussian": (1, 0, 0), "relu6": (-1, 6, 6)}.get(name)
    weight, bias = np.zeros((6, 7)), np.zeros(6)
    for i, row in enumerate([*(u.row for u in units), *out]):
        weight[i, list(row.parents)], bias[i] = row.weights, row.bias
    seen = set()
    choices = itertools.product([False, True], repeat=5) if flips else [(False,) * 5]
    for turned in choices:
        for first, second in itertools.product(itertools.permutations((0, 1)), itertools.permutations((2, 3))):
            w, b = weight.copy(), bias.copy()
            for u in range(5):
                if turned[u] and flips:
                    lam, gamma, mu = flips
                    b -= w[:, 2 + u] / lam * mu
                    w[:, 2 + u] /= lam
                    w[u], b[u] = -w[u], gamma - b[u]
            order = [*first, *second, 4]
            w = w[[*order, 5]][:, [0, 1, *(2 + u for u in order)]]
            seen.add((w + 0.0).tobytes() + (b[[*order, 5]] + 0.0).tobytes())
    found = count_networks(net)
    assert found.count == len(seen) == (4 * 32 if flips else 4)
    listed = list(networks(net))
    assert len({(n.units, n.outputs) for n in listed}) == len(listed) == found.count
    x = rng.normal(size=(20, 2))
    for other in listed:
        np.testing.assert_allclose(other.evaluate(x), net.evaluate(x), atol=1e-11)


def test_reducible_networks_are_counted_on_the_irreducible_form():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        net = random_dag(rng, eighths=True)
        small = count_networks(net)
        big = count_networks(planted(net, rng, exact=True))
        assert big.count == small.count == 2**small.reduction.units_after
        assert big.reduction.units_before > big.reduction.units_after == small.reduction.units_after


def test_ties_move_together_and_inputs_stay():
    """Units 0, 1 are tied to units 2, 3; unit 4 is tied to an input."""
    rng = np.random.default_rng(0)
    units = [Unit("tanh", Row.of({0: rng.normal(), 1: rng.normal()}, rng.normal())) for _ in range(2)]
    units += [Unit("tanh", Row.of({2: rng.normal(), 3: rng.normal()}, rng.normal())) for _ in range(2)]
    units += [Unit("tanh", Row.of({4: rng.normal(), 5: rng.normal()}, rng.normal()))]
    out = (Row.of({p: rng.normal() for p in range(1, 7)}),)
    free = DagNetwork(2, tuple(units), out, (1, 1, 2, 2, 3))
    assert group_order(free) == 2**5 * 4
    tied = DagNetwork(2, tuple(units), out, (1, 1, 2, 2, 3), ((2, 4), (3, 5), (6, 0)))
    assert group_order(tied) == 2**2 * 2
    listed = list(networks(tied))
    assert len({(n.units, n.outputs) for n in listed}) == 8
    x = rng.normal(size=(9, 2))
    for other in listed:
        np.testing.assert_allclose(other.evaluate(x), tied.evaluate(x), atol=1e-13)
    assert sorted(len(group) for group in bundles(tied).values()) == [1, 2]


def test_large_counts_are_exact_integers():
    net = mlp((1, 60, 1))
    found = count_networks(net)
    assert found.count == math.factorial(60) * 2**60
    assert decimal(found.count) == str(math.factorial(60) * 2**60)
    assert found.log10 == pytest.approx(math.log10(math.factorial(60)) + 60 * math.log10(2))
    wide = mlp((1, 2000, 1))
    assert len(decimal(count_networks(wide).count)) == 6338  # 2^2000 2000! has 6338 digits


def test_a_list_is_lazy():
    net = mlp((3, 40, 2))
    first = list(itertools.islice(networks(net), 20))
    assert len({(n.units, n.outputs) for n in first}) == 20
    assert next(iter(elements(net))) == Element(tuple(range(40)))


def test_incomplete_lists_say_why():
    assert "gelu" in str(count_networks(mlp((2, 3, 1), "gelu")).reason)
    assert "rescalings" in str(count_networks(mlp((2, 3, 1), "relu")).reason)
    assert count_networks(mlp((2, 3, 1), "softsign")).complete
    deep = count_networks(mlp((2, 3, 3, 1), "softsign"))
    assert not deep.complete and deep.theorem is None and "s(a s(t))" in str(deep.reason)
    assert not count_networks(mlp((2, 3, 3, 1), "erf")).complete


def test_wrong_elements_are_refused():
    net = mlp((2, 2, 2, 1))
    with pytest.raises(InputError, match="inside a layer"):
        act(net, Element((2, 1, 0, 3)))
    with pytest.raises(InputError, match="every unit once"):
        act(net, Element((0, 0, 2, 3)))
    with pytest.raises(InputError, match="no flip"):
        act(mlp((2, 2, 1), "gelu"), Element((0, 1), frozenset([0])))
