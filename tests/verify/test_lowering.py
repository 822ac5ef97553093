"""Operators in the core vocabulary compute what torch computes."""

from __future__ import annotations

import numpy as np
import pytest
from tests.verify.forge import certificate
from tests.verify.programs import op, program, r

from fiberscope_verify import evaluate, read_chain, verify
from fiberscope_verify.chain import chain_of
from fiberscope_verify.chain_steps import tree_law, tree_value
from fiberscope_verify.lower import lower

torch = pytest.importorskip("torch")
aten = torch.ops.aten


def check(name: str, arrays: dict[str, np.ndarray], *arguments, part: int | None = None, **keywords) -> None:
    """One operator on arrays (named by their keys among the arguments), against torch in float64."""
    overload = aten
    for piece in name.split("."):
        overload = getattr(overload, piece)

    def bind(item, make):
        if isinstance(item, str) and item in arrays:
            return make(item)
        return type(item)(bind(i, make) for i in item) if isinstance(item, tuple | list) else item

    tensors = {k: torch.tensor(v) for k, v in arrays.items()}
    truth = overload(*(bind(a, tensors.get) for a in arguments), **keywords)
    rows = [op("z", name, *(bind(a, r) for a in arguments), **keywords)]
    if part is not None:
        truth = truth[part]
        rows.append(op("u", "getitem", r("z"), part))
    number = truth.to(torch.float64)
    rows.append(op("y", "add.Tensor", r(rows[-1][0]), r("x")))
    model = program(rows, {"x": tuple(number.shape)}, arrays)
    model.operations = [
        o if o.op != "aten.getitem" else type(o)("getitem", o.args, {}, o.outputs) for o in model.operations
    ]
    x = np.random.default_rng(0).normal(size=number.numel())
    mid, rad = evaluate(model, x)
    assert np.all(np.abs(mid - x - number.numpy().reshape(-1)) <= rad + 1e-9)


def test_transposed_convolutions():
    rng = np.random.default_rng(1)
    for _ in range(30):
        groups, per, out = (int(rng.integers(1, 3)) for _ in range(3))
        kernel = rng.integers(1, 4, 2).tolist()
        stride, dilation = rng.integers(1, 4, 2).tolist(), rng.integers(1, 3, 2).tolist()
        padding = [int(rng.integers(0, d * (k - 1) + 1)) for d, k in zip(dilation, kernel, strict=True)]
        extra = [int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True)]
        arrays = {"a": rng.normal(size=(2, groups * per, 4, 5)), "w": rng.normal(size=(groups * per, out, *kernel))}
        arrays["b"] = rng.normal(size=groups * out)
        settings = tuple(stride), tuple(padding), tuple(dilation), True, tuple(extra), groups
        check("convolution.default", arrays, "a", "w", "b", *settings)


def test_sums_and_norms():
    rng = np.random.default_rng(2)
    a = {"a": rng.normal(size=(2, 3, 4))}
    for order in (2, 1, float("inf")):
        check("linalg_vector_norm.default", a, "a", order, (1,), True)
        check("linalg_vector_norm.default", a, "a", order, (0, 2))
    three = {"p": rng.normal(size=(4, 3)), "q": rng.normal(size=(2, 3, 5)), "s": rng.normal(size=(4, 5))}
    check("_trilinear.default", three, "p", "q", "s", (1, 3), (0,), (1, 2), (2, 3))
    b = {"a": rng.normal(size=(2, 3, 4)), "w": rng.normal(size=3), "b": rng.normal(size=3)}
    check("_native_batch_norm_legit.no_stats", b, "a", "w", "b", True, 0.1, 1e-3, part=0)
    check("cumsum.default", a, "a", 1)
    check("cumsum.default", {"a": rng.integers(0, 5, (3, 4))}, "a", -1)
    for correction in (0, 1):
        check("var.correction", a, "a", (1,), correction=correction)


EQUATIONS = ["bn,dn->bd", "nb,nd->db", "abc,cd->dab", "abc,abd->bcd", "abc,cba", "ab,c->cab", "ab,b", "abc,dcb->da"]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation):
    rng, size = np.random.default_rng(4), dict(zip("abcdn", (2, 3, 4, 5, 6), strict=True))
    first, second = equation.split("->")[0].split(",")
    arrays = {"p": rng.normal(size=[size[c] for c in first]), "q": rng.normal(size=[size[c] for c in second])}
    check("einsum.default", arrays, equation, ("p", "q"))


def test_einsum_of_one_tensor():
    for equation in ("abc->ca", "abc->b", "ba", "abc->"):
        array = np.random.default_rng(5).normal(size=(2, 3, 4)[: len(equation.split("->")[0])])
        check("einsum.default", {"p": array}, equation, ("p",))


@pytest.mark.parametrize("size", [((6, 8), None), ((3, 4), None), (None, (3.0, 2.0)), (None, (1.0, 5.0))])
def test_upsampling(size):
    a = {"a": np.random.default_rng(3).normal(size=(1, 2, 3, 4))}
    check("upsample_nearest2d.vec", a, "a", *(size if size[0] is None else (size[0], None)))


def test_look_ups():
    rng = np.random.default_rng(4)
    a = rng.normal(size=(3, 4, 5))
    i, j = rng.integers(-3, 3, (2, 2)), rng.integers(0, 4, 2)
    check("index.Tensor", {"a": a, "i": i}, "a", ("i",))
    check("index.Tensor", {"a": a, "i": i, "j": j}, "a", ("i", "j"))
    check("index.Tensor", {"a": a, "i": i, "j": j}, "a", ("i", None, "j"))
    check("index.Tensor", {"a": a, "j": j}, "a", (None, "j"))
    check("index.Tensor", {"a": a, "m": np.array([True, False, True, True])}, "a", (None, "m"))
    check("index.Tensor", {"a": a, "m": rng.random((3, 4)) < 0.5}, "a", ("m",))
    check("gather.default", {"a": a, "i": rng.integers(0, 4, (2, 6, 5))}, "a", 1, "i")
    check("argmax.default", {"a": a}, "a", 1)
    check("argmin.default", {"a": a}, "a", -1, True)
    check("argmax.default", {"a": np.array([[0, 1, 1]])}, "a", -1)
    for part in (0, 1):
        check("topk.default", {"a": a}, "a", 2, 1, part=part)
        check("topk.default", {"a": a}, "a", 2, 1, False, part=part)


def test_numbers_of_types():
    rng = np.random.default_rng(5)
    n = {"a": rng.integers(-3, 4, (2, 3)), "b": rng.integers(1, 4, (2, 3))}
    check("pow.Tensor_Tensor", {"a": np.abs(rng.normal(size=3)), "b": rng.normal(size=3)}, "a", "b")
    check("pow.Scalar", {"b": rng.normal(size=3)}, 2, "b")
    check("minimum.default", n, "a", "b")
    check("abs.default", n, "a")
    check("where.self", n | {"c": n["a"] > 0}, "c", "a", "b")
    check("div.Tensor", n, "a", "b")
    check("any.dim", {"c": n["a"] > 0}, "c", 1)
    check("add.Tensor", {"c": n["a"] > 0, "d": n["b"] > 1}, "c", "d")
    check("mul.Tensor", {"c": n["a"] > 0, "d": n["b"] > 1}, "c", "d")
    check("full_like.default", {"c": n["a"] > 0}, "c", 1)
    for name in ("sinh", "cosh", "tan", "asinh", "atanh", "asin", "acos", "erfc", "round"):
        check(f"{name}.default", {"a": rng.uniform(-0.9, 0.9, 20)}, "a")
    check("round.default", {"a": np.array([0.5, 1.5, 2.5, -0.5])}, "a")


def activation(*rows):
    """The tree of an activation written with ATen operators on z, in a network 3 -> 4 -> 2."""
    rng = np.random.default_rng(6)
    arrays = {"W": rng.normal(size=(3, 4)), "U": rng.normal(size=(4, 2))}
    whole = [op("z", "mm.default", r("x"), r("W")), *rows, op("y", "mm.default", r(rows[-1][0]), r("U"))]
    model = program(whole, {"x": (1, 3)}, arrays)
    chain = chain_of(lower(model), model)
    assert len(chain.layers) == 2
    return chain.layers[0].activation


HARDSHRINK = (
    op("a", "abs.default", r("z")),
    op("c", "le.Scalar", r("a"), 0.5),
    op("h", "where.self", r("c"), 0.0, r("z")),
)
ONE_SIDED = (op("c", "gt.Scalar", r("z"), 0.5), op("h", "where.self", r("c"), r("z"), 0.0))
LEAKY = (
    op("c", "gt.Scalar", r("z"), 0),
    op("s", "mul.Scalar", r("z"), 0.1),
    op("h", "where.self", r("c"), r("z"), r("s")),
)
STEP = (op("c", "gt.Scalar", r("z"), 0), op("h", "_to_copy.default", r("c"), dtype="dtype:float32"))
ZERO = op("zero", "full.default", (), 0.0)
CLIPPED = (
    ZERO,
    op("one", "full.default", (), 1.0),
    op("m", "minimum.default", r("z"), r("one")),
    op("h", "maximum.default", r("m"), r("zero")),
)
HALF = (
    ZERO,
    op("m", "minimum.default", r("z"), r("zero")),
    op("s", "sin.default", r("z")),
    op("h", "add.Tensor", r("m"), r("s")),
)
TREES = {  # rows, laws at 2, 1/2, -1, -2 (None: not let through), the function
    "hardshrink": (HARDSHRINK, (None, None, -1, None), lambda t: t * (abs(t) > 0.5)),
    "one-sided": (ONE_SIDED, (None, None, None, None), lambda t: t * (t > 0.5)),
    "leaky": (LEAKY, (2, 0.5, None, None), lambda t: t if t > 0 else 0.1 * t),
    "step": (STEP, (1, 1, None, None), lambda t: float(t > 0)),
    "clipped": (CLIPPED, (None, None, None, None), lambda t: max(min(t, 1), 0)),
    "half": (HALF, (None, None, None, None), None),
}


@pytest.mark.parametrize("name", TREES)
def test_activations_taken_apart(name):
    from flint import fmpq

    rows, laws, function = TREES[name]
    tree = activation(*rows)
    assert tree is not None
    for s, want in zip((fmpq(2), fmpq(1, 2), fmpq(-1), fmpq(-2)), laws, strict=True):
        got = tree_law(tree, s)
        assert (got is None) == (want is None)
        assert got is None or float(got.p) / float(got.q) == want
    for t in (fmpq(-3), fmpq(-1, 2), fmpq(0), fmpq(1, 3), fmpq(1, 2), fmpq(5, 2)) if function else ():
        value = tree_value(tree, t)
        assert value is not None
        assert float(value.p) / float(value.q) == pytest.approx(function(float(t.p) / float(t.q)))


def test_width_one_keeps_its_bias():
    rng = np.random.default_rng(7)
    arrays = {"W": rng.normal(size=(3, 1)), "b": rng.normal(size=1), "U": rng.normal(size=(1, 2))}
    rows = [
        op("m", "mm.default", r("x"), r("W")),
        op("z", "add.Tensor", r("m"), r("b")),
        op("h", "relu.default", r("z")),
        op("y", "mm.default", r("h"), r("U")),
    ]
    model = program(rows, {"x": (1, 3)}, arrays)
    layer = read_chain(model).layers[0]
    assert layer.activation == ("map", "relu", (), ("x",))
    assert layer.bias[0] == arrays["b"][0]


def test_whole_inputs_need_whole_witnesses():
    """A witness between two tokens, or beyond true and false, shows nothing."""
    for booleans, points in ((set(), {2.0: True, -1.0: False, 0.5: False}), ({"x"}, {1.0: True, 2.0: False})):
        models = []
        for k, slope in enumerate((1.0, 2.0)):
            rows = [op("f", "_to_copy.default", r("x"), dtype="dtype:float32"), op("y", "mul.Tensor", r("f"), r("w"))]
            model = program(rows, {"x": (1,)}, {"w": np.array([slope])}, integers={"x"})
            model.booleans, model.sha256 = booleans, str(k) * 64
            models.append(model)
        a, b = models
        for point, valid in points.items():
            steps = [{"step": "witness", "input": "x", "gap": 0.25}]
            kind = {"method": "witness", "claim": "different", "strength": None}
            proof = certificate(a, b, steps, {"x": np.array([point])}, **kind)
            assert verify(proof, a, b).valid == valid
