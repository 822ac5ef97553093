"""Enclosures hold the truth: against rationals, against mpmath-like Arb at high precision, and against numpy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from tests.verify.forge import certificate, mlp, run, save

from fiberscope_verify import Reject, evaluate, read_model, verify
from fiberscope_verify import ball as B
from fiberscope_verify.ball import Ball
from fiberscope_verify.evaluate import evaluate_graph
from fiberscope_verify.lower import lower


def in_fractions(net, x):
    h = [Fraction(float(v)) for v in x]
    for i in (1, 2, 3):
        w, b = net[f"W{i}"], net[f"b{i}"]
        h = [
            sum((Fraction(float(c)) * v for c, v in zip(row, h, strict=True)), Fraction(float(s)))
            for row, s in zip(w, b, strict=True)
        ]
        h = [max(v, Fraction(0)) for v in h] if i < 3 else h
    return h


def inside(mid, rad, truth) -> bool:
    return all(abs(Fraction(float(m)) - t) <= Fraction(float(r)) for m, r, t in zip(mid, rad, truth, strict=True))


@pytest.mark.parametrize("seed", range(10))
def test_relu_against_fractions(tmp_path, seed):
    rng = np.random.default_rng(seed)
    net = mlp(rng, [3, 8, 8, 2], "relu", [np.float32, np.float64][seed % 2])
    path, x = save(tmp_path / "a.npz", net), rng.normal(size=3) * 10.0 ** rng.integers(-3, 4)
    truth = in_fractions(net, x)
    mid, rad = evaluate(path, x)
    assert inside(mid, rad, truth)
    assert np.all(rad <= 1e-15 * np.abs(mid) + 1e-299)
    mid, rad = evaluate_graph(lower(read_model(path)), x)
    assert inside(mid, rad, truth)
    assert np.all(rad < 1e-11 * (1 + np.abs(mid).max()) * 1000)


SMOOTH = {
    "tanh": lambda t: t.tanh(),
    "sigmoid": lambda t: 1 / (1 + (-t).exp()),
    "erf": lambda t: t.erf(),
    "sin": lambda t: t.sin(),
    "gelu": lambda t: t * (1 + (t / arb(2).sqrt()).erf()) / 2,
    "softplus": lambda t: t.exp().log1p(),
    "silu": lambda t: t / (1 + (-t).exp()),
    "exp": lambda t: t.exp(),
    "softsign": lambda t: t / (1 + abs(t)),
    "mish": lambda t: t * t.exp().log1p().tanh(),
    "gaussian": lambda t: (-t * t).exp(),
    "arctan": lambda t: t.atan(),
    "tanhshrink": lambda t: t - t.tanh(),
    "elu": lambda t: t if t > 0 else t.expm1(),
    "logsigmoid": lambda t: -(-t).exp().log1p(),
}


@pytest.mark.parametrize("activation", SMOOTH)
def test_smooth_against_high_precision(tmp_path, activation):
    rng = np.random.default_rng(11)
    net = mlp(rng, [3, 6, 2], activation)
    path, x = save(tmp_path / "a.npz", net), rng.normal(size=3)
    mid, rad = evaluate(path, x)
    before, ctx.prec = ctx.prec, 400
    try:
        h = [arb(float(v)) for v in x]
        for i in (1, 2):
            rows, columns = net[f"W{i}"].shape
            w = arb_mat(rows, columns, [arb(float(v)) for v in net[f"W{i}"].reshape(-1)])
            z = (w * arb_mat(len(h), 1, h)).entries()
            h = [p + arb(float(q)) for p, q in zip(z, net[f"b{i}"], strict=True)]
            h = [SMOOTH[activation](t) for t in h] if i == 1 else h
        for m, r, t in zip(mid, rad, h, strict=True):
            assert abs(t - arb(float(m))) <= arb(float(r))
    finally:
        ctx.prec = before
    assert np.all(rad < 1e-12 * (1 + np.abs(mid)))


def sample(ball: Ball, rng) -> np.ndarray:
    return ball.mid + ball.rad * rng.uniform(-1, 1, ball.mid.shape)


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "abs",
        "square",
        "tanh",
        "sigmoid",
        "gelu",
        "exp",
        "reciprocal",
        "leaky_relu",
        "clip",
        "softshrink",
        "elu",
        "softplus",
        "gelu_tanh",
        "sqrt",
        "rsqrt",
        "log",
        "power",
    ],
)
def test_images_of_wide_balls(name):
    """Random points of a wide ball stay in its image (numpy error far below the widths)."""
    rng = np.random.default_rng(12)
    mid = rng.uniform(2, 5, 60) if name in ("reciprocal", "sqrt", "rsqrt", "log") else rng.normal(size=60) * 2
    x = Ball(mid, rng.uniform(0, 0.5, 60))
    parameters = {
        "leaky_relu": [0.25],
        "clip": [-1, 1],
        "softshrink": [0.5],
        "elu": [1, 1, 1],
        "softplus": [1, 20],
        "power": [3],
    }.get(name, [])
    image = B.function(name, parameters, x)
    for _ in range(100):
        y = B.function(name, parameters, Ball(sample(x, rng), np.zeros(60))).mid
        assert np.all(np.abs(y - image.mid) <= image.rad * (1 + 1e-9) + 1e-12)


def test_products_of_wide_balls():
    rng = np.random.default_rng(13)
    x, y = (
        Ball(rng.normal(size=(4, 5)), rng.uniform(0, 1, (4, 5))),
        Ball(rng.normal(size=(5, 3)), rng.uniform(0, 1, (5, 3))),
    )
    out = B.matmul(x, y)
    for _ in range(300):
        assert np.all(np.abs(sample(x, rng) @ sample(y, rng) - out.mid) <= out.rad)


def test_witness(tmp_path):
    rng = np.random.default_rng(14)
    net = mlp(rng, [3, 8, 2], "tanh")
    a, b = save(tmp_path / "a.npz", net), save(tmp_path / "b.npz", net | {"b2": net["b2"] + np.float32(0.5)})
    x = rng.normal(size=3)
    assert np.allclose(run(net, x, np.tanh), evaluate(a, x)[0])
    kind = {"method": "witness", "claim": "different", "strength": None}

    def check(gap, point=x, **more):
        steps = [{"step": "witness", "input": "x", "gap": gap}]
        return verify(certificate(a, b, steps, {"x": point}, **(kind | more)), a, b).valid

    assert check(0.4999)
    assert check(0.4999, domain={"lo": list(x), "hi": list(x + 1)})
    assert not check(0.5001)
    assert not check(0.0)
    assert not check(-1.0)
    assert not check(0.4, domain={"lo": list(x + 0.1), "hi": list(x + 1)})
    assert not check(0.4, x[:2])
    assert not check(0.4, np.full(3, np.nan))
    assert not check(0.4, claim="equal")


def test_wrong_input_length(tmp_path):
    path = save(tmp_path / "a.npz", mlp(np.random.default_rng(15), [3, 4, 2], "relu"))
    with pytest.raises(Reject):
        evaluate(path, [1.0, 2.0])
