"""Balls of comparisons, choices, look-ups and masks: what is certain, what is open, what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from tests.verify.programs import op, program, r

from fiberscope_verify import Reject, choice, evaluate
from fiberscope_verify import ball as B
from fiberscope_verify.ball import Ball


def exact(*values: float) -> Ball:
    return Ball(np.array(values), np.zeros(len(values)))


def draw(x: Ball, rng) -> Ball:
    mid = x.mid + x.rad * rng.uniform(-1, 1, x.mid.shape)
    return Ball(mid, np.zeros(mid.shape))


def holds(image: Ball, value: Ball) -> bool:
    known = ~np.isnan(image.mid)
    return bool(np.all(np.abs(value.mid - image.mid)[known] <= image.rad[known] * (1 + 1e-9) + 1e-12))


KINDS = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or"]


@pytest.mark.parametrize("kind", [*KINDS, "logical_xor"])
def test_comparisons(kind):
    rng = np.random.default_rng(0)
    mid = rng.integers(-2, 3, (2, 200)).astype(float)
    rad = rng.choice([0.0, 0.0, 0.5, 1.5], (2, 200))
    x, y = Ball(mid[0], rad[0]), Ball(mid[1], rad[1])
    image = choice.compare(kind, x, y)
    for _ in range(60):
        truth = np.asarray(getattr(np, kind)(draw(x, rng).mid, draw(y, rng).mid), dtype=float)
        assert holds(image, Ball(truth, np.zeros(200)))
    assert set(image.rad) <= {0.0, 0.5 * (1 + 2.0**-40 + 4 * B.U) + 1e-300}
    sure = choice.compare(kind, exact(*mid[0]), exact(*mid[1]))
    assert np.array_equal(sure.mid, np.asarray(getattr(np, kind)(*mid), dtype=float))
    assert np.isnan(choice.compare(kind, exact(np.nan), exact(1.0)).mid).all()


def test_logic_of_numbers_that_may_be_zero():
    wide = Ball(np.array([0.5]), np.array([0.6]))
    assert choice.compare("logical_and", wide, exact(5.0)).rad[0] > 0
    assert choice.compare("logical_or", wide, exact(5.0)).mid[0] == 1


def test_where():
    condition = Ball(np.array([1.0, 0.0, 0.5, np.nan, 1.0]), np.array([0, 0, 0.5, 0, 0]))
    x, y = exact(1, 1, 1, 1, np.nan), exact(2, 2, 3, 2, 2)
    image = choice.where(condition, x, y)
    assert image.mid[0] == 1
    assert image.mid[1] == 2
    assert image.rad[2] >= 1
    assert image.mid[2] == 2
    assert np.isnan(image.mid[3:]).all()


def test_places():
    rng = np.random.default_rng(1)
    x = Ball(rng.normal(size=(40, 6)), rng.uniform(0, 0.3, (40, 6)))
    for kind, truth in (("max", np.argmax), ("min", np.argmin)):
        image = choice.place(kind, 1, x)
        assert 0 < np.isnan(image.mid).sum() < 40
        for _ in range(50):
            assert holds(image, Ball(truth(draw(x, rng).mid, axis=1, keepdims=True).astype(float), np.zeros((40, 1))))
    assert choice.place("max", 0, exact(1, 3, 3)).mid[0] == 1  # the first of equals
    assert np.isnan(choice.place("max", 0, Ball(np.array([1.0, 3, 3]), np.array([0, 0.1, 0]))).mid[0])


@pytest.mark.parametrize("largest", [True, False])
def test_topk(largest):
    rng = np.random.default_rng(2)
    x = Ball(rng.normal(size=(40, 6)), rng.uniform(0, 0.2, (40, 6)))
    values, places = (choice.topk(3, 1, largest, True, part, x) for part in ("values", "places"))
    assert 0 < np.isnan(places.mid).sum() < 120
    for _ in range(50):
        z = draw(x, rng).mid
        order = np.argsort(-z if largest else z, axis=1)[:, :3]
        assert holds(places, Ball(order.astype(float), np.zeros((40, 3))))
        assert holds(values, Ball(np.take_along_axis(z, order, 1), np.zeros((40, 3))))
    ties = choice.topk(1, 0, largest, True, "places", exact(1, 1))
    assert np.isnan(ties.mid).all()
    with pytest.raises(Reject):
        choice.topk(1, 0, largest, False, "values", exact(1, 2))


def test_indices_must_be_certain():
    x = exact(1, 2, 3)
    assert np.array_equal(choice.index((0,), x, [exact(2, -1, 0)]).mid, [3, 3, 1])
    for bad in (exact(0.5), exact(3), exact(-4), exact(np.nan), Ball(np.array([1.0]), np.array([1e-9]))):
        with pytest.raises(Reject):
            choice.index((0,), x, [bad])
        with pytest.raises(Reject):
            choice.gather(0, x, bad)


def test_whole_numbers_stay_exact():
    rng = np.random.default_rng(3)
    x, y = (Ball(rng.integers(-1000, 1000, (5, 7)).astype(float), np.zeros((5, 7))) for _ in range(2))
    for image in (B.add(x, y), B.mul(x, y), B.total(x, (0,), False), B.cumulative(x, 1)):
        assert np.all(image.rad == 0)
    half = Ball(x.mid / 10, x.rad)
    assert np.any(B.mul(half, y).rad > 0)
    assert np.any(B.total(half, (0,), False).rad > 0)
    big = Ball(np.full((3, 1), 2.0**53), np.zeros((3, 1)))
    assert np.all(B.total(big, (0,), False).rad > 0)
    assert np.all(B.mul(big, exact(3.0)).rad > 0)
    assert B.add(exact(1e16), exact(1.0)).rad[0] > 0
    assert B.mul(exact(3.0), exact(3002399751580331.0)).rad[0] >= 1  # 2^53 + 1
    assert B.function("softplus", [1.0, 20.0], Ball(np.array([20.0]), np.array([0.1]))).rad[0] > 0.09
    assert B.add(exact(0.1), exact(0.2)).rad[0] > 0


def test_sums_of_wide_balls():
    rng = np.random.default_rng(4)
    x = Ball(rng.normal(size=(3, 50)), rng.uniform(0, 1, (3, 50)))
    for _ in range(50):
        z = draw(x, rng)
        assert holds(B.cumulative(x, 1), Ball(np.cumsum(z.mid, 1), z.rad))
        assert holds(B.maximum_over(x, (1,)), Ball(z.mid.max(1, keepdims=True), z.rad[:, :1]))
        y = draw(x, rng)
        assert holds(B.extreme(x, x, np.minimum), Ball(np.minimum(z.mid, y.mid), z.rad))


def test_power():
    rng = np.random.default_rng(5)
    x, y = Ball(rng.uniform(0.5, 3, 40), rng.uniform(0, 0.2, 40)), Ball(rng.normal(size=40), rng.uniform(0, 0.2, 40))
    for _ in range(50):
        assert holds(B.power(x, y), Ball(draw(x, rng).mid ** draw(y, rng).mid, np.zeros(40)))
    special = B.power(exact(-2, 0, -2, 0), exact(3, 2, 0.5, -1))
    assert np.array_equal(special.mid[:2], [-8, 0])
    assert np.isnan(special.mid[2:]).all()


@pytest.mark.parametrize("name", ["sign", "heaviside", "floor", "ceil", "trunc", "round", "hardshrink", "tan", "erfc"])
def test_jumps_widen(name):
    rng = np.random.default_rng(6)
    x = Ball(rng.normal(size=100), rng.uniform(0, 0.6, 100))
    parameters = [0.5] if name == "hardshrink" else []
    image = B.function(name, parameters, x)
    for _ in range(60):
        assert holds(image, B.function(name, parameters, draw(x, rng)))
    assert np.isnan(B.function(name, parameters, exact(np.nan)).mid).all()


def test_undefined_numbers_reach_everything_but_choices():
    lost = exact(np.nan, 1.0)
    for image in (
        B.add(lost, exact(1, 1)),
        B.mul(lost, exact(0, 0)),
        B.extreme(lost, exact(0, 0), np.maximum),
        B.function("relu", [], lost),
        B.function("clip", [-1.0, 1.0], lost),
        B.function("leaky_relu", [0.1], lost),
        B.function("square", [], lost),
        B.function("softplus", [1.0, 20.0], lost),
        B.function("elu", [1.0, 1.0, 1.0], lost),
        B.function("gelu", [], lost),
        B.function("exp", [], lost),
        B.function("softshrink", [0.5], lost),
        B.function("reciprocal", [], lost),
    ):
        assert np.isnan(image.mid[0])
        assert not np.isnan(image.mid[1])
    plain = np.zeros((2, 2))
    product = B.matmul(
        Ball(np.array([[0.0, 0.0], [1.0, 1.0]]), plain), Ball(np.array([[np.nan, 0.0], [0.0, 1.0]]), plain)
    )
    assert np.isnan(product.mid[:, 0]).all()
    assert np.array_equal(product.mid[:, 1], [0, 1])
    assert np.isnan(B.total(lost, (0,), False).mid).all()
    assert np.isnan(B.function("log", [], exact(0, -1)).mid).all()
    assert np.isnan(B.function("reciprocal", [], Ball(np.array([0.1]), np.array([0.2]))).mid).all()


def test_masks_cost_nothing():
    rng = np.random.default_rng(7)
    for mask in (-np.inf, float(np.finfo(np.float32).min)):
        rows = [
            op("w", "where.self", r("keep"), r("x"), mask)
            if np.isinf(mask)
            else op("m", "where.self", r("keep"), 0.0, mask),
            *([] if np.isinf(mask) else [op("w", "add.Tensor", r("x"), r("m"))]),
            op("s", "_softmax.default", r("w"), -1, False),
        ]
        keep = np.array([[True, True, False]])
        x = rng.normal(size=3)
        mid, rad = evaluate(program(rows, {"x": (1, 3)}, {"keep": keep}), x)
        p = np.exp(x[:2] - x[:2].max())
        assert np.allclose(mid[:2], p / p.sum(), atol=1e-14)
        assert mid[2] <= rad[2] <= 1e-290
        assert rad.max() < 1e-14


def test_booleans_are_no_integers():
    """or, and, not of booleans are logic; of whole numbers they are refused; the sum of two booleans is "or"."""
    flags = {"p": np.array([True, True, False]), "n": np.array([1, 2, 3])}

    def value(*rows):
        return evaluate(program([*rows, op("y", "mul.Tensor", r(rows[-1][0]), r("x"))], {"x": (3,)}, flags), ONES)[0]

    assert np.array_equal(value(op("a", "add.Tensor", r("p"), r("p"))), [1, 1, 0])
    assert np.array_equal(value(op("a", "add.Tensor", r("p"), True)), [1, 1, 1])
    assert np.array_equal(
        value(op("f", "_to_copy.default", r("p"), dtype="dtype:float32"), op("a", "add.Tensor", r("f"), r("f"))),
        [2, 2, 0],
    )
    assert np.array_equal(value(op("a", "bitwise_not.default", r("p"))), [0, 0, 1])
    assert np.array_equal(value(op("a", "bitwise_and.Tensor", r("p"), True)), [1, 1, 0])
    assert np.array_equal(value(op("a", "cumsum.default", r("p"), 0)), [1, 2, 2])
    for row in (
        op("a", "bitwise_and.Tensor", r("n"), r("p")),
        op("a", "bitwise_not.default", r("n")),
        op("a", "neg.default", r("p")),
        op("a", "empty_like.default", r("n")),
    ):
        with pytest.raises(Reject):
            value(row)
    with pytest.raises(Reject):  # a count is no boolean
        value(op("c", "sum.dim_IntList", r("p"), (0,), True), op("a", "bitwise_and.Tensor", r("c"), r("p")))


ONES = np.ones(3)


def test_whole_numbers_as_numbers():
    """An integer seen as a float is no integer any more: its root is cut off again."""
    rows = [
        op("f", "_to_copy.default", r("x"), dtype="dtype:float32"),
        op("s", "sqrt.default", r("f")),
        op("y", "_to_copy.default", r("s"), dtype="dtype:int64"),
    ]
    mid, rad = evaluate(program(rows, {"x": (2,)}, {}, integers={"x"}), [4.0, 7.0])
    assert np.array_equal(mid, [2, 2]) and np.array_equal(rad, [0, 0])
