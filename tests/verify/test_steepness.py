"""Values and difference quotients of activations on intervals: what is seen at points is always inside."""

from __future__ import annotations

import numpy as np
import pytest

from fiberscope.equivalence.chain_activations import value
from fiberscope_verify import read_chain
from fiberscope_verify.chain import Chain, Layer
from fiberscope_verify.lipschitz import Loose, distance
from fiberscope_verify.report import Reject
from fiberscope_verify.spans import Span, mul, split
from fiberscope_verify.steepness import steepness

NAMES = ["relu", "leaky_relu(0.1)", "abs", "relu6", "hardtanh", "tanh", "sigmoid", "erf", "gelu", "gelu_tanh", "silu"]
NAMES += ["softplus", "elu", "selu", "celu", "mish", "hardswish", "hardsigmoid", "softsign", "arctan", "sin", "cos"]
NAMES += ["tanhshrink", "softshrink", "logsigmoid", "square"]


def tree(folder, name: str) -> tuple:
    path = folder / "a.npz"
    np.savez(path, W1=np.ones((1, 1)), b1=np.zeros(1), W2=np.ones((1, 1)), b2=np.zeros(1), activation=np.array(name))
    found = read_chain(str(path)).layers[0].activation
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_points_are_inside(tmp_path, name: str):
    rng = np.random.default_rng(0)
    lo = np.concatenate([rng.normal(size=12) * 3, [-8.0, 0.0, -1.0, 0.5, -40.0]])
    hi = np.concatenate([lo[:12] + np.abs(rng.normal(size=12)) ** 3, [8.0, 0.0, 1.0, 0.5, 15.0]])
    values, slopes = steepness(tree(tmp_path, name), Span(lo, hi))
    x, y = (lo + (hi - lo) * rng.random((400, len(lo))) for _ in range(2))
    fx, fy = (value(name, p.reshape(-1)).reshape(p.shape) for p in (x, y))
    slack = 1e-13 * (1 + np.abs(fx).max())
    assert (values.lo - slack <= fx).all()
    assert (fx <= values.hi + slack).all()
    apart = np.abs(x - y) > 1e-3
    quotient = np.where(apart, (fx - fy) / np.where(apart, x - y, 1.0), slopes.lo)
    assert (slopes.lo - 1e-9 <= quotient).all()
    assert (quotient <= slopes.hi + 1e-9).all()
    wide = hi - lo > 1e-3  # and not much more is inside
    seen = np.ptp(quotient, axis=0)[wide]
    assert (slopes.hi - slopes.lo)[wide].max() <= 4 * seen.max() + 1.0


def test_jumps_and_unknown_functions_are_refused():
    x = ("x",)
    z = Span(np.array([-1.0]), np.array([1.0]))
    compare = ("where", ("compare", "less", x, ("lit", "0")), x, ("lit", "1"))
    for bad in (("map", "sign", (), x), ("map", "hardshrink", ("0x1p-1",), x), ("map", "log", (), x), compare):
        with pytest.raises(Reject):
            steepness(bad, z)
    with pytest.raises(Reject):  # torch's softplus jumps at its threshold
        steepness(("map", "softplus", ((1.0).hex(), (20.0).hex()), x), Span(np.array([0.0]), np.array([21.0])))
    with pytest.raises(Reject):
        steepness(("map", "reciprocal", (), x), z)


def test_parts_cover_and_ends_are_rounded_outward():
    z = Span(np.array([0.1, -1.0, 3.0]), np.array([0.3, 1e-320, 3.0]))
    parts = split(z, 7)
    assert (parts.lo[0] == z.lo).all()
    assert (parts.hi[-1] == z.hi).all()
    assert (parts.lo[1:] == parts.hi[:-1]).all()
    tiny = mul(Span(np.array([1e-200]), np.array([1e-200])), Span(np.array([1e-200]), np.array([1e-200])))
    assert tiny.lo[0] <= 0 < tiny.hi[0]
    with pytest.raises(Reject):
        mul(Span(np.array([1e200]), np.array([1e200])), Span(np.array([1e200]), np.array([1e200])))


@pytest.mark.parametrize("name", ["tanh", "gelu", "silu", "softplus", "relu"])
def test_the_distance_of_two_chains(tmp_path, name: str):
    """Above every difference seen, and within the product of the sizes of the matrices."""
    rng = np.random.default_rng(1)
    activation = tree(tmp_path, name)
    for change in (0.0, 1e-7, 1e-3):
        arrays = [[rng.normal(size=s) for s in ((5, 3), (5,), (4, 5), (4,), (2, 4), (2,))] for _ in range(2)]
        arrays[1] = [p + change * q for p, q in zip(*arrays, strict=True)]

        def chain(parts: list[np.ndarray]) -> Chain:
            pairs = list(zip(parts[::2], parts[1::2], strict=True))
            trees = [activation] * 2 + [None]
            return Chain([Layer(w, b, 0 * w, 0 * b, t) for (w, b), t in zip(pairs, trees, strict=True)])

        def run(parts: list[np.ndarray], x: np.ndarray) -> np.ndarray:
            for l in (0, 2, 4):
                x = x @ parts[l].T + parts[l + 1]
                x = x if l == 4 else value(name, x.reshape(-1)).reshape(x.shape)
            return x

        lo, hi = np.array([-1.0, 0.5, -0.0]), np.array([0.5, 0.5, 2.0])
        found = distance(Loose.of(chain(arrays[0])), chain(arrays[1]), lo, hi)
        x = lo + (hi - lo) * rng.random((5000, 3))
        seen = np.abs(run(arrays[0], x) - run(arrays[1], x)).max()
        assert seen <= found + 1e-12
        assert found <= 60 * seen + (found == 0)
