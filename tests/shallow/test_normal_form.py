"""The normal form is the function: it has its values, is linear in it, and is the same for every network of it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shallow.oracle import evaluate, frac, model

from fiberscope.errors import InputError, WeightError
from fiberscope.numerics.exact import rationals
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import NormalForm, normal_form
from fiberscope.shallow.polytope import Polytope

ACTIVATIONS = ["relu", "leaky_relu(0.25)", "leaky_relu(-0.5)", "abs", "leaky_relu(0.1)"]


def small(rng: np.random.Generator, n: int, k: int, d: int, activation: str = "relu", size: int = 2) -> ShallowModel:
    draw = rng.integers
    return model(
        draw(-size, size + 1, (d, n)),
        draw(-size, size + 1, d),
        draw(-size, size + 1, (k, d)),
        draw(-size, size + 1, k),
        activation,
    )


def rewritten(net: ShallowModel, rng: np.random.Generator) -> ShallowModel:
    """Another network of the same function: scaled, split, permuted, with idle units, dead pairs and a fresh pair."""
    W, b, q = net.W1, net.b1, net.W2
    d, n = W.shape
    scale = 2.0 ** rng.integers(-3, 4, d)
    W, b, q = W * scale[:, None], b * scale, q / scale
    part = rng.integers(-3, 4, d) / 4.0
    W, b, q = np.vstack([W, W]), np.concatenate([b, b]), np.hstack([q * part, q * (1 - part)])
    w, t = rng.integers(-3, 4, (2, n)).astype(float), rng.integers(-3, 4, 2).astype(float)
    idle = np.zeros((net.outputs, 2))
    W, b, q = np.vstack([W, w, w[:1], 2 * w[:1]]), np.concatenate([b, t, t[:1], 2 * t[:1]]), np.hstack([q, idle, idle])
    q[:, -2], q[:, -1] = 2.0, -1.0  # 2 sigma(z) - sigma(2 z) = 0
    order = rng.permutation(len(W))
    return ShallowModel(W[order], b[order], q[:, order], net.b2, net.activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_has_the_values_of_the_function(activation, n, k):
    rng = np.random.default_rng(n * 10 + k)
    for d in (0, 1, 4, 9):
        net = small(rng, n, k, d, activation)
        exact, floats = normal_form(net, exact=True), normal_form(net)
        for x in rng.integers(-9, 10, (10, n)) / 4:
            values = evaluate(net, x)
            assert [frac(v) for v in exact(x)] == values
            assert np.allclose(floats(x), [float(v) for v in values], rtol=1e-12, atol=1e-12)
        assert exact.folds == floats.folds
        assert np.allclose(exact.floats()(x), floats(x))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_network_of_a_function_has_the_same_form(activation):
    rng = np.random.default_rng(3)
    for _ in range(40):
        net = small(rng, int(rng.integers(1, 4)), int(rng.integers(1, 3)), int(rng.integers(0, 7)), activation)
        other = rewritten(net, rng)
        assert normal_form(net, exact=True) == normal_form(other, exact=True)
        a, b = normal_form(net), normal_form(other)
        assert a.folds == b.folds
        for name in ("normals", "offsets", "kinks", "linear", "constant"):
            assert np.allclose(getattr(a, name), getattr(b, name), atol=1e-12)


@pytest.mark.parametrize("exact", [True, False])
def test_is_linear_in_the_function(exact):
    rng = np.random.default_rng(4)
    for _ in range(30):
        a, b = small(rng, 2, 2, 5), small(rng, 2, 2, 4)
        f, g = normal_form(a, exact=exact), normal_form(b, exact=exact)
        both = ShallowModel(
            np.vstack([a.W1, b.W1]), np.append(a.b1, b.b1), np.hstack([3 * a.W2, -b.W2]), 3 * a.b2 - b.b2
        )
        direct, combined = normal_form(both, exact=exact), 3 * f - g
        if exact:
            assert combined == direct
            assert (f - f).is_zero and (f + (-f)).is_zero and (f * 0).is_zero
            assert f + g == g + f
        else:
            assert combined.folds == direct.folds and np.allclose(combined.kinks, direct.kinks)
            assert (f - f).folds == 0


def test_convention_of_the_printed_form():
    net = model([[-3.0, 4.0]], [5.0], [[2.0], [1.0]], [0.5, 0.0])
    form = normal_form(net).to_json()
    assert form["folds"] == [{"normal": [0.6, -0.8], "offset": -1.0, "kink": [10.0, 5.0]}]
    assert form["linear"] == [[-3.0, 4.0], [-1.5, 2.0]] and form["constant"] == [5.5, 2.5]
    exact = normal_form(net, exact=True).to_json()
    assert exact["folds"] == [{"normal": ["1", "-4/3"], "offset": "-5/3", "kink": ["6", "3"]}]
    assert exact["linear"] == [["-3", "4"], ["-3/2", "2"]] and exact["gap"] is None
    many = normal_form(model(np.eye(5), np.arange(5), np.ones((1, 5)), [0]))
    assert len(many.to_json(limit=2)["folds"]) == 2 and many.to_json(limit=2)["folds_total"] == 5
    assert len(repr(many).splitlines()) <= 3


@pytest.mark.parametrize("box", [(-1, 1), ((-1, 0), (2, 0)), ((0.5, -3), (0.5, 4)), ((1, 1), (1, 1))])
def test_on_a_box_only_what_happens_inside_counts(box):
    rng = np.random.default_rng(5)
    low, high = (np.broadcast_to(np.asarray(side, dtype=float), 2) for side in box)
    for activation in ACTIVATIONS[:4]:
        for _ in range(25):
            net = small(rng, 2, 1, 6, activation)
            form = normal_form(net, exact=True, box=box)
            for x in low + (high - low) * rng.integers(0, 9, (8, 2)) / 8:
                assert [frac(v) for v in form(x)] == evaluate(net, x)
            for u, t in zip(form.normals, form.offsets, strict=True):  # every fold meets the interior
                ends = [u[0] * frac_x + u[1] * frac_y + t for frac_x in map(rational, (low[0], high[0]))
                        for frac_y in map(rational, (low[1], high[1]))]  # fmt: skip
                assert min(ends) < 0 < max(ends)


def rational(value):
    return rationals(np.array([value]))[0]


def test_a_boundary_that_touches_the_box_is_no_fold():
    net = model([[1.0, 1.0], [1.0, 1.0]], [2.0, -2.0], [[1.0, 1.0]], [0.0])
    assert normal_form(net, box=(-1, 1)).folds == 0
    near = model([[1.0, 1.0]], [np.nextafter(2.0, 0)], [[1.0]], [0.0])
    assert normal_form(near, box=(-1, 1)).folds == 1 and normal_form(near, exact=True, box=(-1, 1)).folds == 1


def test_sides_survive_rounding():
    """0.1 + 0.2 - 0.3 is small and not 0 in exact arithmetic; in floats it depends on the order."""
    w = np.array([[0.1, 0.2, -0.3]])
    exact = sum(frac(v) for v in w[0])
    net = ShallowModel(w, np.zeros(1), np.ones((1, 1)), np.zeros(1))
    form = normal_form(net, exact=True, box=((1, 1, 1), (1, 1, 1)))
    assert frac(form.constant[0]) == max(exact, 0) and exact != 0


def test_a_box_may_hold_fractions():
    third = Fraction(1, 3)
    net = model([[3.0], [3.0]], [-1.0, -2.0], [[1.0, 1.0]], [0.0])
    form = normal_form(net, exact=True, box=([third], [2 * third]))
    assert form.folds == 0 and form.to_json()["linear"] == [["3"]] and form.to_json()["constant"] == ["-1"]
    assert form.to_json()["domain"] == {"lo": ["1/3"], "hi": ["2/3"]}


def test_a_polytope_equal_to_a_box_gives_the_same_form():
    rng = np.random.default_rng(6)
    G, h = np.vstack([np.eye(2), -np.eye(2)]), np.array([1.0, 2.0, 1.0, 0.5])
    for _ in range(25):
        net = small(rng, 2, 2, 6)
        a = normal_form(net, exact=True, polytope=(G, h))
        b = normal_form(net, exact=True, box=((-1, -0.5), (1, 2)))
        assert a.to_json()["folds"] == b.to_json()["folds"]
        assert (a.linear == b.linear).all() and (a.constant == b.constant).all()


def test_on_a_triangle_and_on_an_unbounded_wedge():
    rng = np.random.default_rng(7)
    triangle = Polytope.of(([[1, 1], [-1, 0], [0, -1]], [1, 0, 0]), 2)
    wedge = Polytope.of(([[-1, 0], [0, -1]], [0, 0]), 2)
    for _ in range(20):
        net = small(rng, 2, 1, 6)
        inside = normal_form(net, exact=True, polytope=triangle)
        outside = normal_form(net, exact=True, polytope=wedge)
        for x in rng.integers(0, 5, (8, 2)) / 8:
            assert [frac(v) for v in inside(x)] == evaluate(net, x)
            assert [frac(v) for v in outside(x * 64)] == evaluate(net, x * 64)
        for u, t in zip(inside.normals, inside.offsets, strict=True):
            corners = [t, u[0] + t, u[1] + t]
            assert min(corners) < 0 < max(corners)


@given(seed=st.integers(0, 2**32), noise=st.sampled_from([0.0, 1e-15, 1e-13]))
def test_float_form_merges_what_rounding_split_and_says_how_clearly(seed, noise):
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(1, 8)), int(rng.integers(1, 6))
    W, b = rng.standard_normal((m, n)), rng.standard_normal(m)
    copies = np.repeat(np.arange(m), 3)
    scale = rng.choice([-1.0, 1.0], len(copies)) * rng.uniform(0.1, 10, len(copies))
    dirty = 1 + noise * rng.uniform(-1, 1, (len(copies), n + 1))
    rows = np.column_stack([W, b])[copies] * scale[:, None] * dirty
    net = ShallowModel(rows[:, :n], rows[:, n], np.ones((1, len(copies))), np.zeros(1))
    form = normal_form(net)
    assert form.folds == m
    assert form.gap is not None and form.gap > 1e3
    cancelling = (np.tile([1.0, -1.0, 0.0], m) / np.abs(scale))[None, :]
    assert normal_form(ShallowModel(net.W1, net.b1, cancelling, net.b2)).folds == 0


def test_gap_tells_when_merging_is_doubtful():
    net = model([[1.0], [1.0], [1.0]], [0.0, 0.5e-9, 2e-9], [[1.0, 1.0, 1.0]], [0.0])
    form = normal_form(net)
    assert form.folds == 2 and form.gap is not None and form.gap < 10


def test_kinks_of_both_orientations_cancel_and_leave_the_affine_part():
    net = model([[1.0, 0.0], [-1.0, 0.0]], [2.0, -2.0], [[1.0, -1.0]], [0.0])
    form = normal_form(net, exact=True)
    assert form.folds == 0 and form.to_json()["linear"] == [["1", "0"]] and form.to_json()["constant"] == ["2"]
    assert normal_form(net).folds == 0


def test_huge_and_tiny_weights_stay_exact():
    net = model([[1e300], [1e-300], [5e-324]], [1e300, 3e-300, 5e-324], [[1e-300, 1e300, 1.0]], [0.0])
    form = normal_form(net, exact=True)
    for x in (-2.0, -1.0, 0.5, 7.0):
        assert [frac(v) for v in form([x])] == evaluate(net, [x])
    assert form.folds == 2


def test_refuses_what_has_no_normal_form():
    net = model([[1.0]], [0.0], [[1.0]], [0.0], "tanh")
    with pytest.raises(InputError, match="linear on both sides"):
        normal_form(net)
    good = model([[1.0]], [0.0], [[1.0]], [0.0])
    with pytest.raises(InputError, match="swap them"):
        normal_form(good, box=(1, -1))
    with pytest.raises(InputError, match="not finite"):
        normal_form(good, box=(0, np.inf))
    with pytest.raises(InputError, match="LO is not a number"):
        normal_form(good, box=("a", 1))
    with pytest.raises(InputError, match="LO is not a number"):
        normal_form(good, box=([None], 1))
    with pytest.raises(InputError, match="one of them"):
        normal_form(good, box=(0, 1), polytope=([[1.0]], [1.0]))
    with pytest.raises(InputError, match="exact=True"):
        normal_form(model([[5e-324]], [1.0], [[1.0]], [0.0]))
    with pytest.raises(WeightError, match="rationals"):
        normal_form(ShallowModel(np.array([[1]], dtype=object), good.b1, good.W2, good.b2))
    with pytest.raises(InputError, match="2 numbers"):
        normal_form(good, box=((0, 0), (1, 1)))
    with pytest.raises(InputError, match="must have interior"):
        normal_form(good, polytope=([[1.0], [-1.0]], [0.0, -1.0]))
    with pytest.raises(WeightError, match="W2: holds NaN"):
        normal_form(model([[1.0]], [0.0], [[np.nan]], [0.0]))
    with pytest.raises(WeightError, match="b1"):
        normal_form(model([[1.0]], [0.0, 1.0], [[1.0]], [0.0]))
    with pytest.raises(InputError, match="different domains"):
        normal_form(good) + normal_form(good, box=(0, 1))
    with pytest.raises(InputError, match="both be exact"):
        normal_form(good) + normal_form(good, exact=True)


def test_forms_are_not_hashable_and_compare_only_with_forms():
    form = normal_form(model([[1.0]], [0.0], [[1.0]], [0.0]))
    assert form != "form" and isinstance(form, NormalForm)
    with pytest.raises(TypeError):
        hash(form)
