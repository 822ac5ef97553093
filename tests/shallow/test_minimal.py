"""The least width against grids of all small networks, against the formula tried in full, and on planted functions."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shallow.oracle import evaluate, frac, model, row_rank, same_on_line, subsets
from tests.shallow.test_normal_form import rewritten, small

from fiberscope.errors import InputError
from fiberscope.shallow.equality import same_function
from fiberscope.shallow.minimal import MinimalWidth, minimal_width
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form


def checked(net: ShallowModel, box=None, **options) -> MinimalWidth:
    """The result, after its network was looked at."""
    found = minimal_width(net, box=box, **options)
    assert found.folds <= found.lower <= found.upper == found.network.units
    assert same_function(net, found.network, box=box).equal
    low, high = (-3.0, 3.0) if box is None else (np.asarray(side, dtype=float) for side in box)
    for x in low + (high - low) * np.random.default_rng(0).integers(0, 9, (4, net.inputs)) / 8:
        assert evaluate(net, x) == evaluate(found.network, x)
    stored = found.rounded()
    if stored.error is None:
        assert same_function(net, stored.model, box=box).equal
    assert len(repr(found).splitlines()) <= 3
    return found


def split(values) -> list[list[float]]:
    return [[v] for v in values]


NAMED = {
    "x": (model([[1], [-1]], [0, 0], [[1, -1]], [0]), 0, 2, 1),
    "a constant": (model([[0.0]], [2.0], [[3.0]], [1.0]), 0, 0, 0),
    "|x| + 3x": (model([[1], [-1]], [0, 0], [[4, -2]], [0]), 1, 2, 2),
    "|x1| + x2": (model([[1, 0], [-1, 0], [0, 1], [0, -1]], [0] * 4, [[1, 1, 1, -1]], [0]), 1, 3, 2),
    "|x1| + |x2|": (model([[1, 0], [-1, 0], [0, 1], [0, -1]], [0] * 4, [[1, 1, 1, 1]], [0]), 2, 4, 3),
    "|x1| + x1 + |x2| + x2/2": (model([[1, 0], [0, 1], [0, -1]], [0] * 3, [[2, 1.5, 0.5]], [0]), 2, 3, 3),
    "identity of R^3": (
        model(np.vstack([np.eye(3), -np.eye(3)]), np.zeros(6), np.hstack([np.eye(3), -np.eye(3)]), np.zeros(3)),
        0,
        6,
        3,
    ),
    "(|x1| + |x2| + x1, x2)": (
        model([[1, 0], [0, 1], [0, -1], [0, 1], [0, -1]], [0] * 5, [[2, 1, 1, 0, 0], [0, 0, 0, 1, -1]], [0, 0]),
        2,
        3,
        3,
    ),
    "relu(x) + relu(x - 1)": (model([[1], [-1], [-1]], [0, 0, 1], [[2, -1, 1]], [-1]), 2, 2, 2),
    "relu(x1) with two idle boundaries": (model([[-1, 0], [1, 0], [-1, 0]], [0, 5, -5], [[1, 1, -1]], [-5]), 1, 1, 1),
}


@pytest.mark.parametrize("name", NAMED)
def test_named_functions(name):
    net, folds, everywhere, boxed = NAMED[name]
    found = checked(net)
    assert (found.folds, found.minimal_units, found.proved) == (folds, everywhere, True)
    assert checked(net, box=(-1, 1)).minimal_units == (boxed if name != "relu(x) + relu(x - 1)" else 1 + 0 * boxed)
    assert found.to_json()["minimal_units"] == found.to_json()["lower"] == found.to_json()["upper"] == everywhere


def line_key(units, outputs: int, points) -> tuple:
    """A function of one input without its constant, by its values at all breakpoints of the grid and beyond."""
    values = [
        [sum((q[o] * max(w * x + b, 0) for w, b, q in units), Fraction(0)) for x in points] for o in range(outputs)
    ]
    return tuple(v - row[0] for row in values for v in row)


def grid_minimum(outputs: int, weights, biases, readouts, most: int, points) -> dict[tuple, tuple[int, tuple]]:
    """For every function that a network of the grid has: the least number of units there, and such a network."""
    units = list(product(weights, biases, readouts))
    best: dict[tuple, tuple[int, tuple]] = {}
    for count in range(most + 1):
        for chosen in combinations_with_replacement(units, count):
            best.setdefault(line_key(chosen, outputs, points), (count, chosen))
    return best


def test_all_networks_of_three_units_on_the_line():
    """No function of the grid has a smaller network there than claimed, and nearly all claims are attained there."""
    points = [Fraction(v, 2) for v in (-6, -4, -2, -1, 0, 1, 2, 4, 6)]
    best = grid_minimum(1, (-2, -1, 1, 2), (-1, 0, 1), split_scalars((-2, -1, 1, 2)), 2, points)
    bigger = grid_minimum(1, (-1, 1, 2), (-1, 0, 1), split_scalars((-1, 1, 2)), 3, points)
    for key, value in bigger.items():
        if key not in best or value[0] < best[key][0]:
            best[key] = value
    rng = np.random.default_rng(1)
    keys = list(best)
    attained = 0
    sample = [keys[i] for i in rng.choice(len(keys), 250, replace=False)]
    for key in sample:
        count, units = best[key]
        net = from_units(units, 1)
        found = checked(net)
        assert found.proved and found.upper <= count
        attained += found.upper == count
    assert attained > 150


def split_scalars(values):
    return [(v,) for v in values]


def from_units(units, outputs: int) -> ShallowModel:
    if not units:
        return model(np.zeros((0, 1)), np.zeros(0), np.zeros((outputs, 0)), np.zeros(outputs))
    return model([[u[0]] for u in units], [u[1] for u in units], np.array([u[2] for u in units]).T, np.zeros(outputs))


def test_all_networks_of_two_outputs_on_the_line():
    readouts = [(1, 0), (0, 1), (1, 1), (-1, 1)]
    points = [Fraction(v) for v in (-3, -2, -1, 0, 1, 2, 3)]
    best = grid_minimum(2, (-1, 1), (-1, 0, 1), readouts, 3, points)
    rng = np.random.default_rng(2)
    keys = list(best)
    attained = 0
    for i in rng.choice(len(keys), 120, replace=False):
        count, units = best[keys[i]]
        found = checked(from_units(units, 2))
        assert found.proved and found.upper <= count
        attained += found.upper == count
    assert attained > 60


@pytest.mark.slow
def test_larger_grids_on_the_line():
    """Every function, not a sample; all readouts in {-1, 0, 1}^2."""
    readouts = [q for q in product((-1, 0, 1), repeat=2) if any(q)]
    points = [Fraction(v) for v in (-3, -2, -1, 0, 1, 2, 3)]
    for outputs, best in (
        (2, grid_minimum(2, (-1, 1), (-1, 0, 1), readouts, 3, points)),
        (1, grid_minimum(1, (-1, 1), (-2, -1, 0, 1, 2), split_scalars((-2, -1, 1, 2)), 3, points)),
    ):
        for count, units in list(best.values())[:: 1 + len(best) // 4000]:
            found = minimal_width(from_units(units, outputs))
            assert found.proved and found.upper <= count


def test_all_networks_of_two_units_on_an_interval():
    """On [-1, 1] one unit that is active throughout makes a slope, and a grid with such units sees it."""
    points = [Fraction(v, 2) for v in (-2, -1, 0, 1, 2)]
    best = grid_minimum(1, (-2, -1, 1, 2), (-4, -2, -1, 0, 1, 2, 4), split_scalars((-2, -1, 1, 2)), 2, points)
    rng = np.random.default_rng(3)
    keys = list(best)
    attained = 0
    for i in rng.choice(len(keys), 120, replace=False):
        count, units = best[keys[i]]
        found = checked(from_units(units, 1), box=(-1, 1))
        assert found.proved and found.upper <= count
        attained += found.upper == count
    assert attained > 100


def formula(net: ShallowModel, box=None) -> int:
    """m + min over all D and s, every one tried, in Fractions (R^n or a box; ReLU)."""
    form = normal_form(net, exact=True, box=box)
    kinks = [[frac(v) for v in row] for row in form.kinks]
    normals = [[frac(v) for v in row] for row in form.normals]
    target = [[2 * frac(v) for v in row] for row in form.linear]
    m, best = len(kinks), 10**9
    for doubled in subsets(m) if box is None else [()]:
        rest = [j for j in range(m) if j not in doubled]
        span = [normals[j] for j in doubled]
        base = row_rank(span)
        for signs in product((-1, 1), repeat=len(rest)):
            left = [
                [
                    v - sum(s * kinks[j][o] * normals[j][i] for s, j in zip(signs, rest, strict=True))
                    for i, v in enumerate(row)
                ]
                for o, row in enumerate(target)
            ]
            rank = row_rank(span + left) - base  # modulo the span
            best = min(best, len(doubled) + (2 if box is None else 1) * rank)
    return m + best


@given(seed=st.integers(0, 2**32), box=st.sampled_from([None, (-1, 1), ((-1,), (2,))]))
def test_equals_the_formula_tried_in_full(seed, box):
    rng = np.random.default_rng(seed)
    n, k = (int(v) for v in rng.integers(1, 4, 2))
    if box is not None and isinstance(box[0], tuple):
        box = (box[0] * n, box[1] * n)
    net = small(rng, n, k, int(rng.integers(0, 6)), size=int(rng.integers(1, 3)))
    found = checked(net, box=box)
    assert found.proved and found.upper == formula(net, box)
    assert checked(rewritten(net, rng), box=box).upper == found.upper


def test_the_excess_takes_every_value_up_to_twice_the_rank():
    """k = n = 2: extra units 0, 1, 2, 3, 4 all occur."""
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(60):
        found = checked(small(rng, 2, 2, int(rng.integers(2, 6)), size=1))
        seen.add(found.upper - found.folds)
    assert seen >= {0, 1, 2}
    plus_minus = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    three = checked(model(plus_minus, [0] * 4, [[4, -2, 1, -1], [1, -1, 5, -5]], [0, 0]))
    assert (three.folds, three.minimal_units) == (1, 4)  # (|x1| + 3 x1 + x2, x1 + 5 x2): the fold doubled, and a pair
    four = checked(model(plus_minus, [0] * 4, [[1, -1, 1, -1], [1, -1, 5, -5]], [0, 0]))
    assert (four.folds, four.minimal_units) == (0, 4)


def test_leaky_units_cost_what_relu_units_cost():
    """Orientation adds s (mean / jump) kink u: a sum of leaky units and its copy with reversed zero-sum sets."""
    rng = np.random.default_rng(5)
    for slope in ("leaky_relu(0.25)", "leaky_relu(-0.5)", "leaky_relu(2.0)"):
        for _ in range(15):
            net = small(rng, 2, 1, 4, slope)
            relu = ShallowModel(net.W1, net.b1, net.W2, net.b2)
            assert checked(net).upper == checked(relu).upper  # the same sum_j s_j kink_j u_j, scaled
            checked(net, box=(-1, 1))


def test_units_without_bend_or_without_orientation():
    identity = model(np.eye(3)[:2], np.ones(2), [[1, 2], [2, 4.0]], [0, 0], "leaky_relu(1.0)")
    assert checked(identity).minimal_units == 1
    absolute = model([[1.0], [-2.0], [1.0]], [0.0, 0.0, 3.0], [[1.0, 1.0, 0.0]], [0], "abs")
    assert checked(absolute).minimal_units == 1
    assert checked(absolute, box=(1, 2)).minimal_units == 1


def test_regular_polygons_need_all_their_units():
    """sum_j relu(<w_j, x> - 1) over m unit vectors at equal angles: m folds, m units."""
    for m in range(2, 13):
        angle = 2 * np.pi * np.arange(m) / m
        net = ShallowModel(np.column_stack([np.cos(angle), np.sin(angle)]), -np.ones(m), np.ones((1, m)), np.zeros(1))
        found = checked(net)
        assert (found.folds, found.minimal_units) == (m, m)


def test_planted_generic_networks_are_recovered():
    """A generic network written with many more units goes back to its own number, for any n and k."""
    rng = np.random.default_rng(6)
    for n, k, d in ((2, 1, 7), (3, 2, 10), (5, 5, 12), (8, 1, 30)):
        net = ShallowModel(*(rng.standard_normal(s) for s in ((d, n), (d,), (k, d), (k,))))  # pyright: ignore[reportArgumentType]
        part = rng.integers(1, 4, d) / 4
        fat = ShallowModel(
            np.vstack([net.W1, net.W1]), np.tile(net.b1, 2), np.hstack([net.W2 * part, net.W2 * (1 - part)]), net.b2
        )
        found = checked(fat)
        assert found.minimal_units == found.folds == d


def test_generic_doubled_folds_are_needed():
    """One fold with two opposite generic units: m + 1, proved by lattices or halves for floats with 53 bits."""
    rng = np.random.default_rng(7)
    for n, m in ((3, 12), (6, 30)):
        W, b, q = rng.standard_normal((m, n)), rng.standard_normal(m), rng.standard_normal((1, m + 1))
        net = ShallowModel(np.vstack([W, -W[:1]]), np.append(b, -b[0]), q, np.zeros(1))
        found = checked(net)
        assert (found.folds, found.minimal_units) == (m, m + 1)


def test_a_budget_of_nothing_gives_honest_bounds():
    rng = np.random.default_rng(8)
    for _ in range(30):
        net = small(rng, 2, 2, 6, size=3)
        short, full = minimal_width(net, budget=0.0), minimal_width(net)
        assert full.proved and short.lower <= full.upper <= short.upper
        assert short.upper <= short.folds + 2 * min(net.outputs, net.inputs)
        assert short.network.units == short.upper
        assert same_function(net, short.network).equal
    assert short.to_json()["proved"] == short.proved


def test_looking_at_some_doubled_sets_only_proves_nothing(monkeypatch):
    """With a limit of one set per number of units, the bounds still hold the truth between them."""
    monkeypatch.setattr("fiberscope.shallow.minimal.MOST_TASKS", 0)
    rng = np.random.default_rng(9)
    for _ in range(40):
        other = small(rng, 2, 2, 5)
        found = minimal_width(other)
        assert found.lower <= formula(other) <= found.upper


def test_rounding_is_said():
    net = model([[3.0], [3.0], [3.0]], [1.0, 1.0, 1.0], [[0.1, 0.2, 0.4]], [0.0])  # 0.1 + 0.2 + 0.4 is no float
    found = checked(net)
    assert found.minimal_units == 1 and 0 < found.rounded().error < 2**-52  # pyright: ignore[reportOperatorIssue]
    assert found.to_json()["rounding"] == found.rounded().error
    exact = checked(model([[3.0], [6.0]], [1.0, 2.0], [[0.25, 0.5]], [0.0]))
    assert exact.rounded().error is None and same_on_line(exact.rounded().model, model([[3]], [1], [[1.25]], [0]))


def test_no_linear_part_from_absolute_values():
    from fiberscope.shallow.bend import bend
    from fiberscope.shallow.orientation import Problem

    with pytest.raises(InputError, match="no linear part"):
        Problem(normal_form(model([[1.0]], [0.0], [[1.0]], [0.0]), exact=True), bend("abs"))
    with pytest.raises(InputError, match="exact=True"):
        Problem(normal_form(model([[1.0]], [0.0], [[1.0]], [0.0])), bend("relu"))
