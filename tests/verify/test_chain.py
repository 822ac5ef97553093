"""Chain certificates made by hand: true ones pass, near misses fail."""

from __future__ import annotations

import numpy as np
import pytest
from tests.verify.forge import certificate, copy_of, match_steps, mlp, save

from fiberscope_verify import verify

ACTIVATIONS = [
    "relu",
    "leaky_relu(0.25)",
    "abs",
    "square",
    "cube",
    "tanh",
    "erf",
    "sin",
    "softsign",
    "arctan",
    "hardtanh",
    "tanhshrink",
    "hardshrink",
    "softshrink",
    "cos",
    "gaussian",
    "sigmoid",
    "gelu",
    "silu",
    "softplus",
    "elu",
    "selu",
    "mish",
    "hardswish",
    "logsigmoid",
    "exp",
    "relu6",
    "hardsigmoid",
    "celu",
    "gelu_tanh",
]


def pair(tmp_path, net, other):
    return save(tmp_path / "a.npz", net), save(tmp_path / "b.npz", other)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_exact_copy_is_accepted(tmp_path, activation):
    rng = np.random.default_rng(1)
    net = mlp(rng, [4, 9, 7, 3], activation)
    other, moves = copy_of(rng, net)
    a, b = pair(tmp_path, net, other)
    steps, arrays = match_steps(moves)
    report = verify(certificate(a, b, steps, arrays), a, b)
    assert report.valid, report.reason
    wrong = {**arrays, "p1": np.roll(arrays["p1"], 1)}
    assert not verify(certificate(a, b, steps, wrong), a, b).valid


@pytest.mark.parametrize(
    ("activation", "scale"),
    [
        ("relu", -1.0),
        ("relu", 0.0),
        ("gelu", 2.0),
        ("gelu", -1.0),
        ("tanh", 2.0),
        ("sigmoid", -1.0),
        ("silu", 0.5),
        ("exp", 2.0),
        ("cos", 2.0),
        ("relu6", 2.0),
        ("elu", 2.0),
        ("hardtanh", 2.0),
        ("hardsigmoid", -1.0),
    ],
)
def test_scale_outside_the_group_is_refused(tmp_path, activation, scale):
    """The weights are scaled as claimed; only the law of the activation speaks against it."""
    rng = np.random.default_rng(2)
    net = mlp(rng, [3, 4, 2], activation)
    other = {k: v.copy() for k, v in net.items()}
    other["W1"][1] *= scale
    other["b1"][1] *= scale
    other["W2"][:, 1] /= scale if scale else 1
    a, b = pair(tmp_path, net, other)
    s = np.ones(4)
    s[1] = scale
    steps, arrays = match_steps([(np.arange(4), s)])
    report = verify(certificate(a, b, steps, arrays), a, b)
    assert not report.valid
    assert "let" in str(report.reason)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_rounded_copy_and_one_weight_too_far(tmp_path, dtype):
    rng = np.random.default_rng(3)
    net = mlp(rng, [4, 8, 8, 2], "relu", dtype)
    other, moves = copy_of(rng, net, dyadic=False)
    steps, arrays = match_steps(moves)
    a, b = pair(tmp_path, net, other)
    claim = {"strength": "rounding", "max_ulp": 2 if dtype == np.float64 else 1}
    report = verify(certificate(a, b, steps, arrays, **claim), a, b)
    assert report.valid, report.reason
    assert not verify(certificate(a, b, steps, arrays), a, b).valid
    ulp = np.spacing(np.abs(other["W2"][3, 2]))
    other["W2"][3, 2] += dtype(9) * ulp
    a, b = pair(tmp_path, net, other)
    assert not verify(certificate(a, b, steps, arrays, strength="rounding", max_ulp=8), a, b).valid
    assert verify(certificate(a, b, steps, arrays, strength="rounding", max_ulp=12), a, b).valid


def test_one_ulp_is_seen_by_the_exact_comparison(tmp_path):
    rng = np.random.default_rng(4)
    net = mlp(rng, [4, 8, 2], "relu")
    other, moves = copy_of(rng, net)
    other["W1"][0, 0] = np.nextafter(other["W1"][0, 0], np.float32(9), dtype=np.float32)
    a, b = pair(tmp_path, net, other)
    assert not verify(certificate(a, b, *match_steps(moves)), a, b).valid


def test_zero_stays_zero(tmp_path):
    net = mlp(np.random.default_rng(5), [3, 4, 2], "relu")
    net["W1"][1, 1] = 0
    other = {k: v.copy() for k, v in net.items()}
    other["W1"][1, 1] = np.float32(1e-45)
    a, b = pair(tmp_path, net, other)
    steps, arrays = match_steps([(np.arange(4), np.ones(4))])
    assert not verify(certificate(a, b, steps, arrays, strength="rounding", max_ulp=8), a, b).valid


def redundant(rng):
    """A ReLU net with a dead, a constant and a duplicate unit, and the net without them."""
    small = mlp(rng, [3, 4, 2], "relu")
    small["b2"][:] = [3, -1]
    small["W2"][:] = np.round(small["W2"] * 64) / 64
    big = {k: v.copy() for k, v in small.items()}
    w1, b1, w2 = small["W1"], small["b1"], small["W2"]
    share = np.float32(0.25) * w2[:, 0]
    big["W1"] = np.concatenate([w1, np.ones((1, 3), "f4"), np.zeros((1, 3), "f4"), 2 * w1[:1]])
    big["b1"] = np.concatenate([b1, np.array([1, 0.5], "f4"), 2 * b1[:1]])
    big["W2"] = np.concatenate([w2, np.zeros((2, 1), "f4"), np.array([[2], [-4]], "f4"), share[:, None] / 2], axis=1)
    big["W2"][:, 0] -= share
    big["b2"] = (small["b2"] - np.array([1, -2])).astype("f4")
    steps = [
        {"step": "remove-dead", "side": "a", "layer": 1, "unit": 4},
        {"step": "fold-constant", "side": "a", "layer": 1, "unit": 4},
        {"step": "merge", "side": "a", "layer": 1, "unit": 4, "into": 0, "scale": "2"},
    ]
    return big, small, steps


def test_reductions(tmp_path):
    big, small, reductions = redundant(np.random.default_rng(6))
    a, b = pair(tmp_path, big, small)
    steps, arrays = match_steps([(np.arange(4), np.ones(4))])
    report = verify(certificate(a, b, reductions + steps, arrays), a, b)
    assert report.valid, report.reason
    back = [s | {"side": "b"} for s in reductions]
    report = verify(certificate(b, a, back + steps, arrays), b, a)
    assert report.valid, report.reason


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (0, {"unit": 0}),
        (1, {"unit": 0}),
        (2, {"scale": "3"}),
        (2, {"into": 1}),
        (2, {"scale": "-2"}),
        (2, {"scale": "2/0"}),
        (2, {"unit": 0}),
        (0, {"layer": 2}),
        (0, {"side": "c"}),
        (0, {"extra": 1}),
        (1, {"unit": True}),
    ],
)
def test_false_reductions(tmp_path, index, change):
    big, small, reductions = redundant(np.random.default_rng(6))
    a, b = pair(tmp_path, big, small)
    steps, arrays = match_steps([(np.arange(4), np.ones(4))])
    reductions[index] = reductions[index] | change
    assert not verify(certificate(a, b, reductions + steps, arrays), a, b).valid


def test_sign_merge_needs_an_odd_activation(tmp_path):
    for activation, good in (("tanh", True), ("gelu", False), ("relu", False)):
        rng = np.random.default_rng(7)
        small = mlp(rng, [3, 4, 2], activation)
        small["W2"] = np.round(small["W2"] * 64).astype("f4") / np.float32(64)
        big = {k: v.copy() for k, v in small.items()}
        big["W1"] = np.concatenate([small["W1"], -small["W1"][:1]])
        big["b1"] = np.concatenate([small["b1"], -small["b1"][:1]])
        big["W2"] = np.concatenate([small["W2"], np.ones((2, 1), "f4")], axis=1)
        big["W2"][:, 0] += 1
        a, b = pair(tmp_path, big, small)
        steps, arrays = match_steps([(np.arange(4), np.ones(4))])
        merge = {"step": "merge", "side": "a", "layer": 1, "unit": 4, "into": 0, "scale": "-1"}
        assert verify(certificate(a, b, [merge, *steps], arrays), a, b).valid is good


def test_frame_of_the_certificate(tmp_path):
    rng = np.random.default_rng(8)
    net = mlp(rng, [3, 4, 2], "relu")
    other, moves = copy_of(rng, net)
    a, b = pair(tmp_path, net, other)
    steps, arrays = match_steps(moves)
    good = {"domain": {"lo": [0, 0, 0], "hi": [1, 1, 1]}}
    assert verify(certificate(a, b, steps, arrays, **good), a, b).valid
    bad = [
        {"surplus": 1},
        {"version": 2},
        {"version": True},
        {"claim": "different"},
        {"strength": "bound"},
        {"max_ulp": 1},
        {"strength": None},
        {"method": "faith"},
        {"method": ["chain"]},
        {"domain": {"lo": [1, 1, 1], "hi": [0, 0, 0]}},
        {"domain": {"lo": [0], "hi": [1]}},
        {"domain": "some"},
        {"error_bound": 1.0},
        {"steps": steps[:-1]},
        {"steps": steps[1:]},
        {"steps": [*steps, {"step": "trust"}]},
        {"models": [{"sha256": "0" * 64, "format": "npz"}] * 2},
        {"steps": None},
    ]
    for change in bad:
        assert not verify(certificate(a, b, **({"steps": steps, "arrays": arrays} | change)), a, b).valid, change
    assert not verify(certificate(a, b, steps, arrays | {"spare": np.ones(2)}), a, b).valid
    assert not verify(certificate(a, b, steps, arrays), b, a).valid
    assert not verify(b"", a, b).valid


def test_same_bytes(tmp_path):
    net = mlp(np.random.default_rng(9), [3, 4, 2], "relu")
    a, b = pair(tmp_path, net, net)
    c = save(tmp_path / "c.npz", net | {"b1": net["b1"] + 1})
    assert verify(certificate(a, b, [], {}, method="same-bytes"), a, b).valid
    assert not verify(certificate(a, c, [], {}, method="same-bytes"), a, c).valid
