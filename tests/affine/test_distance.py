"""Quotient distance against brute force over the whole group; a metric; sound bounds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from fiberscope.affine.assignment import blocks_of, lower_bound
from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.dense import dense
from fiberscope.affine.distance import distance
from fiberscope.affine.enumerate import networks
from fiberscope.errors import InputError


def mlp(widths: tuple[int, ...], name: str = "tanh", seed: int = 0) -> DagNetwork:
    rng = np.random.default_rng(seed)
    sizes = list(itertools.pairwise(widths))
    return DagNetwork.from_layers([(rng.normal(size=(o, i)), rng.normal(size=o)) for i, o in sizes], name)


def flat(net: DagNetwork) -> np.ndarray:
    """All weights and biases, every unit and output over all nodes."""
    width = net.n_inputs + len(net.units)
    out = []
    for row in (*(unit.row for unit in net.units), *net.outputs):
        line = np.zeros(width + 1)
        line[list(row.parents)] = [float(w) for w in row.weights]
        line[-1] = float(row.bias)
        out.append(line)
    return np.concatenate(out)


def brute(a: DagNetwork, b: DagNetwork) -> float:
    return min(float(np.linalg.norm(flat(a) - flat(other))) for other in networks(b))


CASES = [
    ((2, 4, 1), "tanh"), ((3, 3, 2), "tanh"), ((2, 4, 1), "gelu"), ((2, 3, 1), "gaussian"), ((2, 4, 2), "sigmoid"),
    ((3, 4, 1), "relu6"), ((1, 4, 3), "hardsigmoid"), ((2, 4, 1), "sigmoid"),
    ((2, 3, 2, 1), "tanh"), ((2, 3, 2, 1), "sigmoid"), ((2, 2, 2, 2, 1), "erf"), ((2, 3, 3, 1), "mish"),
    ((2, 2, 2, 1), "relu6"),
]  # fmt: skip


@pytest.mark.parametrize(("widths", "name"), CASES)
def test_against_the_whole_group(widths: tuple[int, ...], name: str):
    for seed in range(2):
        a, b = mlp(widths, name, seed), mlp(widths, name, seed + 100)
        found, want = distance(a, b, seed=seed), brute(a, b)
        assert found.lower <= want * (1 + 1e-12)
        assert found.upper >= want * (1 - 1e-12)
        assert found.upper <= want * 1.2  # the search is good here, though nothing promises it
        assert found.exact or len(widths) > 3
        if found.exact:
            assert found.distance == pytest.approx(want, rel=1e-12)


def test_equal_networks_are_at_distance_zero_and_neighbours_near():
    for widths, name in [((3, 6, 5, 2), "tanh"), ((3, 6, 2), "sigmoid"), ((3, 8, 2), "erf")]:
        net = mlp(widths, name)
        rng = np.random.default_rng(0)
        for other in itertools.islice(networks(net), 0, 400, 37):
            zero = distance(net, other)
            assert zero.upper < 1e-13
            assert zero.exact or name == "sigmoid"
            rows = [
                Unit(u.activation, Row(u.row.parents, u.row.weights, float(u.row.bias) + 1e-6 * rng.normal()))
                for u in other.units
            ]
            near = replace(other, units=tuple(rows))
            moved = float(np.linalg.norm(flat(near) - flat(other)))
            assert distance(net, near).upper == pytest.approx(moved, rel=1e-6)


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid", "relu6", "gaussian"])
def test_the_lower_bound_is_below_where_it_is_sharp(name: str):
    """Only one matrix is moved a little: every relaxation is nearly exact, and a bound that adds too much shows."""
    for seed, layer in enumerate((0, 1, 1, 2)):
        a = mlp((2, 3, 2, 1), name, seed)
        rng = np.random.default_rng(seed)

        def moved(row: Row, rng: np.random.Generator = rng) -> Row:
            return Row(row.parents, tuple(float(w) + 1e-4 * rng.normal() for w in row.weights), row.bias)

        units = tuple(
            Unit(u.activation, moved(u.row) if a.layers[i] == layer + 1 else u.row) for i, u in enumerate(a.units)
        )
        b = replace(a, units=units, outputs=tuple(moved(row) for row in a.outputs) if layer == 2 else a.outputs)
        bound = lower_bound(dense(a), dense(b), blocks_of(a))
        true = brute(a, b) ** 2
        assert 0.2 * true < bound <= true * (1 + 1e-9)


def test_a_metric_for_one_layer():
    nets = [mlp((2, 5, 2), "tanh", seed) for seed in range(5)]
    table = np.array([[distance(a, b).distance for b in nets] for a in nets])
    np.testing.assert_allclose(table, table.T, rtol=1e-12)
    assert (np.diag(table) == 0).all()
    for i, j, k in itertools.product(range(5), repeat=3):
        assert table[i, k] <= table[i, j] + table[j, k] + 1e-12


def test_a_continuous_path_where_sorted_forms_jump():
    """Two units pass each other: canonical order jumps, the distance does not."""

    def at(t: float) -> DagNetwork:
        return DagNetwork.from_layers([([[t, 1.0], [0.0, -1.0]], None), ([[3.0, -2.0]], None)])

    for t in (-1e-6, 1e-6):
        assert distance(at(0.0), at(t)).distance == pytest.approx(abs(t))


def test_positive_scalings_do_not_count():
    rng = np.random.default_rng(0)
    for name, widths in (("relu", (3, 5, 2)), ("leaky_relu(0.1)", (3, 4, 4, 2)), ("square", (2, 4, 1))):
        net = mlp(widths, name)
        scale = {u: float(np.exp(rng.normal())) for u in range(len(net.units))}
        power = 2 if name == "square" else 1
        n = net.n_inputs

        def moved(row: Row, by: float, n: int = n, scale: dict = scale, power: int = power) -> Row:
            weights = {p: by * float(w) / (scale[p - n] ** power if p >= n else 1.0) for p, w in row.weight_of.items()}
            return Row.of(weights, by * float(row.bias))

        units = tuple(Unit(u.activation, moved(u.row, scale[i])) for i, u in enumerate(net.units))
        other = replace(net, units=units, outputs=tuple(moved(row, 1.0) for row in net.outputs))
        x = rng.normal(size=(9, n))
        np.testing.assert_allclose(other.evaluate(x), net.evaluate(x), atol=1e-10)
        assert distance(net, other).upper < 1e-8


def test_tied_units_are_moved_together():
    """h = tanh(A x), y = tanh(B h) + h: units of both layers are permuted and turned by one element."""
    rng = np.random.default_rng(1)

    def make() -> DagNetwork:
        units = [Unit("tanh", Row.of({0: rng.normal(), 1: rng.normal()}, rng.normal())) for _ in range(3)]
        units += [Unit("tanh", Row.of({p: rng.normal() for p in (2, 3, 4)}, rng.normal())) for _ in range(3)]
        out = (Row.of({p: rng.normal() for p in range(2, 8)}, rng.normal()),)
        return DagNetwork(2, tuple(units), out, (1, 1, 1, 2, 2, 2), ((2, 5), (3, 6), (4, 7)))

    for _ in range(4):
        a, b = make(), make()
        found, want = distance(a, b), brute(a, b)
        assert found.lower - 1e-12 <= want <= found.upper + 1e-12
        assert distance(a, list(networks(a))[17]).upper < 1e-13


def test_networks_of_other_shapes_are_refused():
    with pytest.raises(InputError, match="widths"):
        distance(mlp((2, 3, 1)), mlp((2, 4, 1)))
    with pytest.raises(InputError, match="activations"):
        distance(mlp((2, 3, 1)), mlp((2, 3, 1), "erf"))
