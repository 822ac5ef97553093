"""Each rule of the graph method: true changes pass; near misses pass only if the function really stays the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.verify.forge import certificate
from tests.verify.programs import Change, changed, op, program, proof, r, some_change

from fiberscope_verify import evaluate, verify
from fiberscope_verify.model import Model

ONE = np.ones


def normal(rng, *shape) -> np.ndarray:
    return rng.normal(size=shape)


def powers(rng, n: int, signs: bool = False) -> np.ndarray:
    s = 2.0 ** rng.integers(-2, 3, n)
    return s * rng.choice([-1.0, 1.0], n) if signs else s


def recurrent(rng) -> tuple[Model, Change]:
    """tanh(x V + 0 W), then once more through W: the state begins as zeros."""
    arrays = {"V": normal(rng, 3, 4), "W": normal(rng, 4, 4), "U": normal(rng, 4, 2)}
    zero = {"dtype": "dtype:float32"}
    rows = [
        op("h0", "full.default", (1, 2, 4), 0, **zero),
        op("h1", "squeeze.dims", r("h0"), (0,)),
        op("a", "mm.default", r("h1"), r("W")),
        op("b", "mm.default", r("x"), r("V")),
        op("c", "add.Tensor", r("a"), r("b")),
        op("d", "tanh.default", r("c")),
        op("e", "mm.default", r("d"), r("W")),
        op("f", "add.Tensor", r("e"), r("b")),
        op("g", "tanh.default", r("f")),
        op("y", "mm.default", r("g"), r("U")),
    ]
    p, s = rng.permutation(4), rng.choice([-1.0, 1.0], 4)
    change = {"V": {1: (p, s)}, "W": {0: (p, s), 1: (p, s)}, "U": {0: (p, s)}}
    return program(rows, {"x": (2, 3)}, arrays), change


def leaky(kind: str, literal: float, signs: bool = False) -> Callable:
    """where(z > 0, z, a z) with a slope per unit, and its relatives."""

    def build(rng) -> tuple[Model, Change]:
        arrays = {"V": normal(rng, 3, 5), "a": normal(rng, 5), "U": normal(rng, 5, 2)}
        rows = [
            op("z", "mm.default", r("x"), r("V")),
            op("c", f"{kind}.Scalar", r("z"), literal),
            op("s", "mul.Tensor", r("z"), r("a")),
            op("h", "where.self", r("c"), r("z"), r("s")),
            op("y", "mm.default", r("h"), r("U")),
        ]
        p, s = rng.permutation(5), powers(rng, 5, signs) if literal == 0 else ONE(5)
        change = {"V": {1: (p, s)}, "a": {0: (p, ONE(5))}, "U": {0: (p, 1 / s)}}
        return program(rows, {"x": (2, 3)}, arrays), change

    return build


def grouped_heads(rng) -> tuple[Model, Change]:
    """Four query heads share two key heads and two value heads; query heads move inside their groups."""
    arrays = {"Q": normal(rng, 3, 8), "K": normal(rng, 3, 4), "V": normal(rng, 3, 4), "O": normal(rng, 8, 2)}

    def heads(name: str, source: str, n: int) -> list[tuple]:
        return [
            op(f"{name}1", "mm.default", r("x"), r(source)),
            op(f"{name}2", "view.default", r(f"{name}1"), (5, n, 2)),
            op(f"{name}3", "permute.default", r(f"{name}2"), (1, 0, 2)),
        ]

    def shared(name: str) -> list[tuple]:
        return [
            op(f"{name}4", "unsqueeze.default", r(f"{name}3"), 1),
            op(f"{name}5", "expand.default", r(f"{name}4"), (2, 2, 5, 2)),
            op(f"{name}6", "clone.default", r(f"{name}5")),
            op(f"{name}7", "view.default", r(f"{name}6"), (4, 5, 2)),
            op(f"{name}8", "mul.Scalar", r(f"{name}7"), 0.7),
        ]

    rows = [*heads("q", "Q", 4), *heads("k", "K", 2), *heads("v", "V", 2), *shared("k"), *shared("v")]
    rows += [
        op("kt", "permute.default", r("k8"), (0, 2, 1)),
        op("s", "bmm.default", r("q3"), r("kt")),
        op("w", "_softmax.default", r("s"), -1, False),
        op("o", "bmm.default", r("w"), r("v8")),
        op("o1", "permute.default", r("o"), (1, 0, 2)),
        op("o2", "clone.default", r("o1")),
        op("o3", "view.default", r("o2"), (5, 8)),
        op("y", "mm.default", r("o3"), r("O")),
    ]
    kv, inner = rng.permutation(2), [rng.permutation(2) for _ in range(2)]
    query = np.array([2 * g + inner[g][i] for g in kv for i in range(2)])
    qk, vo = ([rng.permutation(2) for _ in range(2)] for _ in range(2))  # inside each key head, inside each value head
    s, t = ([powers(rng, 2, True) for _ in range(2)] for _ in range(2))

    def places(of_heads, per_group) -> np.ndarray:
        return np.concatenate([2 * h + per_group[g] for h, g in of_heads])

    many, few = [(h, h // 2) for h in query], [(g, g) for g in kv]
    change = {
        "Q": {1: (places(many, qk), np.concatenate([s[g] for _, g in many]))},
        "K": {1: (places(few, qk), np.concatenate([1 / s[g] for _, g in few]))},
        "V": {1: (places(few, vo), np.concatenate([t[g] for _, g in few]))},
        "O": {0: (places(many, vo), np.concatenate([1 / t[g] for _, g in many]))},
    }
    return program(rows, {"x": (5, 3)}, arrays), change


def normalised(rng) -> tuple[Model, Change]:
    """z / |z| with the norm expanded over the units."""
    arrays = {"V": normal(rng, 3, 4), "U": normal(rng, 4, 2)}
    rows = [
        op("z", "mm.default", r("x"), r("V")),
        op("n", "linalg_vector_norm.default", r("z"), 2, (1,), True),
        op("c", "clamp_min.default", r("n"), 1e-6),
        op("e", "expand.default", r("c"), (2, 4)),
        op("q", "div.Tensor", r("z"), r("e")),
        op("y", "mm.default", r("q"), r("U")),
    ]
    p = rng.permutation(4)
    return program(rows, {"x": (2, 3)}, arrays), {"V": {1: (p, ONE(4))}, "U": {0: (p, ONE(4))}}


def padded_units(rng) -> tuple[Model, Change]:
    """Two more units that are always zero."""
    arrays = {"V": normal(rng, 3, 4), "U": normal(rng, 6, 2)}
    rows = [
        op("z", "mm.default", r("x"), r("V")),
        op("h", "relu.default", r("z")),
        op("e", "constant_pad_nd.default", r("h"), (1, 1), 0.0),
        op("y", "mm.default", r("e"), r("U")),
    ]
    p, s = rng.permutation(4), powers(rng, 4)
    wide = np.concatenate([[0], p + 1, [5]])
    return program(rows, {"x": (2, 3)}, arrays), {
        "V": {1: (p, s)},
        "U": {0: (wide, np.concatenate([[1.0], 1 / s, [1.0]]))},
    }


def looked_up(rng) -> tuple[Model, Change]:
    """Rows of a table at places counted from the input, the place of a maximum, running sums along another axis."""
    arrays = {"T": normal(rng, 5, 4), "U": normal(rng, 4, 2)}
    rows = [
        op("b", "gt.Scalar", r("x"), 0),
        op("c", "cumsum.default", r("b"), -1),
        op("t", "index.Tensor", r("T"), (r("c"),)),
        op("s", "cumsum.default", r("t"), 1),
        op("m", "argmax.default", r("x"), -1),
        op("i", "arange.start_step", 0, 2),
        op("l", "index.Tensor", r("s"), (r("i"), r("m"))),
        op("g", "gelu.default", r("l")),
        op("y", "mm.default", r("g"), r("U")),
    ]
    p = rng.permutation(4)
    return program(rows, {"x": (2, 3)}, arrays), {"T": {1: (p, ONE(4))}, "U": {0: (p, ONE(4))}}


def shuffled_pixels(rng) -> tuple[Model, Change]:
    """Channels and their four pixels come from one axis of a convolution; every channel has its own scale."""
    arrays = {"V": normal(rng, 12, 1, 2, 2), "U": normal(rng, 2, 3, 2, 2)}
    settings = None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1
    rows = [
        op("z", "convolution.default", r("x"), r("V"), *settings),
        op("s", "view.default", r("z"), (1, 3, 2, 2, 3, 3)),
        op("t", "permute.default", r("s"), (0, 1, 4, 2, 5, 3)),
        op("v", "view.default", r("t"), (1, 3, 6, 6)),
        op("h", "relu.default", r("v")),
        op("y", "convolution.default", r("h"), r("U"), *settings),
    ]
    p, s = rng.permutation(3), powers(rng, 3)
    flat = (4 * p[:, None] + np.arange(4)).reshape(-1)
    return program(rows, {"x": (1, 1, 4, 4)}, arrays), {"V": {0: (flat, np.repeat(s, 4))}, "U": {1: (p, 1 / s)}}


def transposed(rng) -> tuple[Model, Change]:
    """A transposed convolution in groups, upsampling, another transposed convolution."""
    arrays = {"V": normal(rng, 2, 4, 2, 2), "b": normal(rng, 4), "U": normal(rng, 4, 3, 3, 3)}
    rows = [
        op("z", "convolution.default", r("x"), r("V"), r("b"), (2, 2), (1, 1), (1, 1), True, (1, 1), 1),
        op("h", "relu.default", r("z")),
        op("u", "upsample_nearest2d.vec", r("h"), None, (2.0, 2.0)),
        op("y", "convolution.default", r("u"), r("U"), None, (1, 1), (0, 0), (2, 2), True, (0, 0), 1),
    ]
    p, s = rng.permutation(4), powers(rng, 4)
    return program(rows, {"x": (1, 2, 3, 3)}, arrays), {"V": {1: (p, s)}, "b": {0: (p, s)}, "U": {0: (p, 1 / s)}}


def bilinear(rng) -> tuple[Model, Change]:
    """sum_ij u_i W_kij v_j with both factors scaled."""
    arrays = {"A": normal(rng, 3, 4), "B": normal(rng, 3, 5), "W": normal(rng, 2, 4, 5)}
    rows = [
        op("u", "mm.default", r("x"), r("A")),
        op("v", "mm.default", r("x"), r("B")),
        op("y", "_trilinear.default", r("u"), r("W"), r("v"), (1, 3), (0,), (1, 2), (2, 3)),
    ]
    p, q, s, t = rng.permutation(4), rng.permutation(5), powers(rng, 4, True), powers(rng, 5, True)
    return program(rows, {"x": (2, 3)}, arrays), {
        "A": {1: (p, s)},
        "B": {1: (q, t)},
        "W": {1: (p, 1 / s), 2: (q, 1 / t)},
    }


def width_one(rng) -> tuple[Model, Change]:
    """A hidden layer of one unit whose axis goes and comes back, and the mean of units that share one scale."""
    arrays = {"V": normal(rng, 3, 1), "U": normal(rng, 1, 4), "a": normal(rng, 1), "W": normal(rng, 1, 2)}
    rows = [
        op("z", "mm.default", r("x"), r("V")),
        op("f", "view.default", r("z"), (2,)),
        op("p", "_prelu_kernel.default", r("f"), r("a")),
        op("g", "unsqueeze.default", r("p"), 1),
        op("h", "mm.default", r("g"), r("U")),
        op("k", "relu.default", r("h")),
        op("m", "mean.dim", r("k"), (1,)),
        op("n", "view.default", r("m"), (2, 1)),
        op("y", "mm.default", r("n"), r("W")),
    ]
    p, s, t = rng.permutation(4), powers(rng, 1), powers(rng, 1)
    one = np.arange(1)
    return program(rows, {"x": (2, 3)}, arrays), {
        "V": {1: (one, s)},
        "a": {0: (one, ONE(1))},
        "U": {0: (one, 1 / s), 1: (p, np.full(4, t[0]))},
        "W": {0: (one, 1 / t)},
    }


def depthwise(rng) -> tuple[Model, Change]:
    """A convolution of every channel by itself: the axis of size one of its weight may carry a scale too."""
    arrays = {"V": normal(rng, 3, 1, 2, 2), "D": normal(rng, 3, 1, 2, 2), "U": normal(rng, 2, 3, 1, 1)}
    rest = (1, 1), (0, 0), (1, 1), False, (0, 0)
    rows = [
        op("z", "convolution.default", r("x"), r("V"), None, *rest, 1),
        op("d", "convolution.default", r("z"), r("D"), None, *rest, 3),
        op("y", "convolution.default", r("d"), r("U"), None, *rest, 1),
    ]
    p, s, t, u = rng.permutation(3), powers(rng, 3, True), powers(rng, 3, True), powers(rng, 1)
    return program(rows, {"x": (1, 1, 5, 5)}, arrays), {
        "V": {0: (p, s)},
        "D": {0: (p, t), 1: (np.arange(1), u)},
        "U": {1: (p, 1 / (s * t * u[0]))},
    }


def extreme(kind: str) -> Callable:
    """The larger (smaller) of two stacked values, unit by unit: negative scales turn it round."""

    def build(rng) -> tuple[Model, Change]:
        arrays = {"V": normal(rng, 3, 4), "W": normal(rng, 3, 4), "U": normal(rng, 4, 2)}
        rows = [
            op("a", "mm.default", r("x"), r("V")),
            op("b", "mm.default", r("x"), r("W")),
            op("s", "cat.default", (r("a"), r("b")), 1),
            op("t", "view.default", r("s"), (2, 2, 4)),
            op("m", f"{kind}.default", r("t"), (1,)),
            op("y", "mm.default", r("m"), r("U")),
        ]
        p, s = rng.permutation(4), powers(rng, 4)
        return program(rows, {"x": (2, 3)}, arrays), {"V": {1: (p, s)}, "W": {1: (p, s)}, "U": {0: (p, 1 / s)}}

    return build


CASES: dict[str, Callable] = {
    "amax": extreme("amax"),
    "amin": extreme("amin"),
    "width one": width_one,
    "depthwise": depthwise,
    "zero state": recurrent,
    "x > 0": leaky("gt", 0),
    "x <= 0": leaky("le", 0),
    "x != 0": leaky("ne", 0, True),
    "x > 0.1": leaky("gt", 0.1),
    "grouped heads": grouped_heads,
    "norm": normalised,
    "padded units": padded_units,
    "look-up": looked_up,
    "pixel shuffle": shuffled_pixels,
    "transposed convolution": transposed,
    "bilinear form": bilinear,
}


def differ(a: Model, b: Model, rng) -> bool:
    """Whether the two models certainly differ at some random points."""
    n = sum(int(np.prod(s)) for _, s in a.inputs)
    for scale in (1.0, 0.1, 10.0):
        x = rng.normal(size=n) * scale
        (p, u), (q, v) = evaluate(a, x), evaluate(b, x)
        if np.any(np.abs(p - q) > u + v + 1e-9 * (1 + np.abs(p))):
            return True
    return False


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(6):
        model, true = CASES[name](rng)
        other = changed(model, true)
        report = verify(proof(model, other, true), model, other)
        assert report.valid, report.reason
        assert not differ(model, other, rng)
        for _ in range(8):
            near = some_change(rng, true)
            other = changed(model, near)
            if verify(proof(model, other, near), model, other).valid:
                assert not differ(model, other, rng), near
            else:
                refused += 1
    assert refused >= 8


def test_signs_against_order():
    """x > 0 does not let -1 pass, x != 0 does, x > 0.1 lets nothing pass."""
    rng = np.random.default_rng(4)
    for kind, literal, allowed in (("gt", 0, False), ("ne", 0, True), ("ge", 0, False), ("gt", 0.1, False)):
        model, change = leaky(kind, literal)(rng)
        p, s = change["V"][1]
        change["V"][1], change["U"][0] = (p, -s), (p, -1 / s)
        other = changed(model, change)
        assert verify(proof(model, other, change), model, other).valid == allowed


@pytest.mark.parametrize("kind", ["amax", "amin"])
def test_extremes_keep_signs(kind):
    model, change = extreme(kind)(np.random.default_rng(7))
    for name, axis in (("V", 1), ("W", 1), ("U", 0)):
        p, s = change[name][axis]
        change[name][axis] = (p, s * np.array([-1.0, 1, 1, 1]))
    other = changed(model, change)
    assert not verify(proof(model, other, change), model, other).valid


def test_query_heads_stay_in_their_groups():
    rng = np.random.default_rng(5)
    model, _ = grouped_heads(rng)
    inside, across = np.array([1, 0, 2, 3]), np.array([2, 1, 0, 3])
    for heads, valid in ((inside, True), (across, False)):
        flat = (2 * heads[:, None] + np.arange(2)).reshape(-1)
        change: Change = {"Q": {1: (flat, ONE(8))}, "O": {0: (flat, ONE(8))}}
        other = changed(model, change)
        assert verify(proof(model, other, change), model, other).valid == valid
        assert differ(model, other, rng) != valid


def two_scales(**changes):
    """A hidden axis of x A, (x A) * (x B), C with scales s and t on C's axis; returns model, other, certificate."""
    rng = np.random.default_rng(6)
    arrays = {"A": normal(rng, 3, 4), "B": normal(rng, 3, 4), "C": normal(rng, 4, 2)}
    rows = [
        op("a", "mm.default", r("x"), r("A")),
        op("b", "mm.default", r("x"), r("B")),
        op("h", "mul.Tensor", r("a"), r("b")),
        op("y", "mm.default", r("h"), r("C")),
    ]
    model = program(rows, {"x": (2, 3)}, arrays)
    s, t, p = powers(rng, 4), powers(rng, 4, True), np.arange(4)
    other = changed(model, {"A": {1: (p, s)}, "B": {1: (p, t)}, "C": {0: (p, 1 / (s * t))}})
    empty = {"source": None, "sign": None, "scale": None, "exponent": None}
    both = empty | {"scale": ["s", "t"], "exponent": ["m", "m"]} | changes
    steps = [
        {"step": "weights", "pairs": [[n, n] for n in arrays]},
        {"step": "axes", "weight": "A", "axes": [empty, empty | {"scale": "s"}]},
        {"step": "axes", "weight": "B", "axes": [empty, empty | {"scale": "t"}]},
        {"step": "axes", "weight": "C", "axes": [both, empty]},
    ]
    minus = np.full(4, -1)
    held = {"s": s, "t": t, "m": minus, "one": np.ones(4, dtype=np.int64), "big": np.full(4, 65), "short": minus[:3]}
    entry = repr((both["scale"], both["exponent"]))
    held = {k: v for k, v in held.items() if k in "st" or repr(k) in entry}
    return model, other, certificate(model, other, steps, held, method="graph")


def test_two_scales_on_one_axis():
    model, other, good = two_scales()
    report = verify(good, model, other)
    assert report.valid, report.reason
    for change in (
        {"exponent": ["m"]},
        {"scale": ["s"]},
        {"scale": [], "exponent": []},
        {"exponent": ["m", "one"]},
        {"exponent": ["m", None]},
        {"exponent": ["m", "big"]},
        {"exponent": ["m", "short"]},
        {"exponent": "m"},
        {"exponent": None},
        {"scale": ["s", "s"]},
        {"scale": ["s", 3]},
        {"scale": ["s", ["t"]]},
        {"scale": [None, "t"]},
        {"scale": {"s": "t"}, "exponent": {"m": "m"}},
        {"scale": ["s", "t"] * 33, "exponent": ["m"] * 66},
    ):
        model, other, bad = two_scales(**change)
        assert not verify(bad, model, other).valid, change
