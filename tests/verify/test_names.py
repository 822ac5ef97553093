"""Names of numbers: the laws, the walk over graphs, equality exact and up to rounding, and what must be rejected."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flint import arb, fmpq
from tests.affine.planting import planted, random_dag
from tests.verify.forge import certificate
from tests.verify.forge import save as save_arrays
from tests.verify.programs import op, program, r

from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.enclosure import enclose
from fiberscope.affine.to_network import save
from fiberscope_verify import Differences, Reject, evaluate, nearly_same_names, read_model, verify
from fiberscope_verify.exact import rational
from fiberscope_verify.fine import Values
from fiberscope_verify.fine import unary as at
from fiberscope_verify.form import Form, scaled
from fiberscope_verify.names import TOTAL, Table
from fiberscope_verify.scalar import number, over, plus, times

NAMES = ("tanh", "sigmoid", "erf", "arctan", "softsign")
STEPS = [{"step": "names"}]
PARAMETERS = {
    "softplus": (1.0, math.inf), "leaky_relu": (0.3,), "elu": (1.0, 1.5, 0.5), "clip": (0.0, 6.0), "power": (3.0,),
    "hardshrink": (0.5,), "softshrink": (0.5,),
}  # fmt: skip


def pair(tmp_path: Path, a: DagNetwork, b: DagNetwork) -> tuple[Path, Path]:
    return save(a, tmp_path / "a.onnx"), save(b, tmp_path / "b.onnx")


def same(a: object, b: object) -> bool:
    return not Differences(read_model(a), read_model(b)).forms


def points(rng: np.random.Generator, n: int) -> list[fmpq]:
    return [rational(float(v)) for v in rng.normal(size=n)]


# -- numbers and laws ------------------------------------------------------------------------------------------------


def test_numbers_are_exact_and_have_one_representation():
    rng = np.random.default_rng(0)
    pool = [0.0, 1.0, -1.0, 0.1, 1e308, 1e-308, 5e-324, 2.0**-1074, 3.0, 2.0**60, fmpq(1, 3), fmpq(-7, 10**30)]
    pool += [float(v) for v in rng.normal(size=20) * 10.0 ** rng.integers(-200, 200, 20)]
    for x in pool:
        for y in pool:
            for got, want in ((plus(x, y), rational(x) + rational(y)), (times(x, y), rational(x) * rational(y))):
                assert rational(got) == want and number(want) == got and type(number(want)) is type(got)
            if y != 0:
                assert rational(over(x, y)) == rational(x) / rational(y)


@pytest.mark.parametrize("function", sorted(TOTAL))
def test_every_law_is_an_identity(function: str):
    """The normalised form has the value of the function itself, at many forms and points."""
    rng = np.random.default_rng(len(function))
    parameters = tuple(float(p).hex() for p in PARAMETERS.get(function, ()))
    for _ in range(30):
        table = Table(2)
        inner = Form(float(rng.normal()), {0: float(rng.normal()), 1: float(rng.normal())})
        softsign = scaled(table.unary("softsign", (), Form(0.0, {0: float(rng.normal())})), float(rng.normal()))
        form = (inner, scaled(inner, -1.0), softsign, Form(float(rng.normal())))[rng.integers(4)]
        named = table.unary(function, parameters, form)
        values = Values(table, points(rng, 2), 200)
        t = values.form(form)
        if function in ("sign", "heaviside", "floor", "ceil", "trunc", "round", "hardshrink"):
            simple = {"sign": np.sign, "heaviside": lambda v: float(v > 0), "round": np.round, "trunc": np.trunc}
            simple |= {"floor": np.floor, "ceil": np.ceil, "hardshrink": lambda v: v if abs(v) > 0.5 else 0.0}
            ((i, c),) = named.terms.items() if named.terms else ((None, named.const),)
            got = float(c) if i is None else float(c) * simple[function](float(values.form(table.entries[i][1][0])))
            assert got == simple[function](float(t.mid()))
            continue
        want = t.max(arb(0)).min(arb(6)) if function == "clip" else at(function, list(parameters), t)
        assert values.form(named).overlaps(want), (function, form)
        assert float(values.form(named).rad()) < 1e-40


def test_a_softsign_of_a_softsign_is_one_softsign():
    table = Table(1)
    inner = table.unary("softsign", (), Form(0.0, {0: 3.0}))
    outer = table.unary("softsign", (), scaled(inner, -0.75))
    (name,) = outer.terms
    assert table.entries[name][1][0].key == (0.0, (0, 5.25)) and outer.terms[name] == fmpq(-3, 7)


def test_what_is_not_defined_everywhere_has_no_name():
    """1/x - 1/x + x is x, but not at 0; nor is the square root of a constant below zero a number."""
    one = program(
        [
            op("p", "reciprocal.default", r("x")),
            op("q", "sub.Tensor", r("p"), r("p")),
            op("y", "add.Tensor", r("q"), r("x")),
        ],
        {"x": (1, 1)},
        {},
    )
    other = program([op("y", "mul.Tensor", r("x"), 1.0)], {"x": (1, 1)}, {})
    with pytest.raises(Reject, match="depends on the input"):
        same(one, other)
    table = Table(1)
    for function, x in (("sqrt", -1.0), ("rsqrt", 0.0), ("log", -2.0)):
        with pytest.raises(Reject):
            table.unary(function, (), Form(x))


# -- the walk over graphs --------------------------------------------------------------------------------------------


def convolutional(rng: np.random.Generator, activation: str = "tanh"):
    """Convolution, activation, average pool, residual, channel sums, a linear layer."""
    arrays = {"k": rng.normal(size=(4, 1, 3, 3)), "kb": rng.normal(size=4), "g": rng.normal(size=(4, 2, 3, 3))}
    arrays |= {"w": rng.normal(size=(2, 20))}
    rows = [
        op("c", "convolution.default", r("x"), r("k"), r("kb"), (1, 1), (1, 1), (1, 1), False, (0, 0), 1),
        op("h", f"{activation}.default", r("c")),
        op("p", "avg_pool2d.default", r("h"), (2, 2), (2, 2), 0, False, True, None),
        op("d", "convolution.default", r("p"), r("g"), None, (1, 1), (1, 1), (1, 1), False, (0, 0), 2),
        op("e", f"{activation}.default", r("d")),
        op("s", "add.Tensor", r("p"), r("e")),
        op("m", "mean.dim", r("s"), (2, 3)),
        op("f", "view.default", r("s"), (1, 16)),
        op("j", "cat.default", (r("f"), r("m")), 1),
        op("t", "permute.default", r("w"), (1, 0)),
        op("y", "mm.default", r("j"), r("t")),
    ]
    return program(rows, {"x": (1, 1, 4, 4)}, arrays)


def test_the_walk_agrees_with_the_evaluation_of_the_graph():
    from fiberscope_verify.names_steps import read

    rng = np.random.default_rng(0)
    for activation in ("tanh", "sigmoid", "relu"):
        model = convolutional(rng, activation)
        x = rng.normal(size=16)
        table = Table(16)
        values = Values(table, [rational(float(v)) for v in x], 128)
        mid, rad = evaluate(model, x)
        for form, m, e in zip(read(model, table, 0, 16), mid, rad, strict=True):
            assert abs(values.form(form) - arb(m)) <= arb(e)
            assert float(values.form(form).rad()) < 1e-30


def test_channels_of_a_convolution_are_moved_and_turned():
    rng = np.random.default_rng(1)
    model = convolutional(rng)
    perm, sign = np.array([1, 0, 3, 2]), np.array([1.0, -1.0, -1.0, 1.0])
    a = model.arrays
    w = a["w"][:, :16].reshape(2, 4, 4)[:, perm] * sign[:, None]
    moved = {
        "k": a["k"][perm] * sign[:, None, None, None],
        "kb": a["kb"][perm] * sign,
        "g": (a["g"][perm] * sign[:, None, None, None])[:, [1, 0]],
        "w": np.concatenate([w.reshape(2, 16), a["w"][:, 16:][:, perm] * sign], axis=1),
    }
    moved["g"] = moved["g"] * sign.reshape(2, 2)[[0, 0, 1, 1]][:, :, None, None]
    other = replace(model, arrays=moved, prepared={}, sha256="1" * 64)
    assert same(model, other)
    near = replace(other, arrays={**moved, "kb": moved["kb"] + np.array([0, 0, 2e-3, 0])}, prepared={})
    assert not same(model, near)
    with pytest.raises(Reject):
        nearly_same_names(model, near, 8)


def test_a_batch_that_is_not_known_to_be_one_must_be_one():
    """Two rows at a time against one: accepted where the rows are apart and alike, not where they mix."""
    arrays = {"w": np.array([[1.0, 2.0], [0.5, -1.0]])}
    rows = [op("m", "mm.default", r("x"), r("w")), op("y", "tanh.default", r("m"))]
    one = program(rows, {"x": (1, 2)}, arrays)
    two = program(rows, {"x": (2, 2)}, arrays, batched=None)
    assert same(one, two)
    flipped = [rows[0], op("f", "index_select.default", r("m"), 0, r("i")), op("y", "tanh.default", r("f"))]
    mixed = program(flipped, {"x": (2, 2)}, {**arrays, "i": np.array([1, 0])}, batched=None)
    with pytest.raises(Reject, match="alike"):
        same(one, mixed)
    rows = [rows[0], op("s", "add.Tensor", r("m"), r("b")), op("y", "tanh.default", r("s"))]
    unlike = program(rows, {"x": (2, 2)}, {**arrays, "b": np.array([[0.0, 0.0], [1.0, 0.0]])}, batched=None)
    with pytest.raises(Reject, match="alike"):
        same(one, unlike)


def test_too_large_is_said_before_it_is_tried():
    rng = np.random.default_rng(0)
    model = program([op("y", "mm.default", r("x"), r("w"))], {"x": (1, 300)}, {"w": rng.normal(size=(300, 300))})
    with pytest.raises(Reject, match="too large"):
        Differences(model, model, 1000)


# -- equal networks --------------------------------------------------------------------------------------------------


def case(seed: int) -> tuple[DagNetwork, DagNetwork, bool]:
    """A random network and one with redundancy planted (sometimes into both); whether its numbers are exact."""
    rng = np.random.default_rng(seed)
    exact = bool(rng.integers(2))
    net = random_dag(rng, units=int(rng.integers(2, 7)), name=NAMES[seed % 5], eighths=exact)
    net = replace(net, precision=("float64", "float32")[seed // 5 % 2])
    a, b = net, planted(net, rng, exact)
    if rng.random() < 0.3:
        a = planted(net, rng, exact)
    a, b = (a, b) if rng.random() < 0.5 else (b, a)
    finer = (a.precision, b.precision) == ("float32", "float64")  # then B is no rounded copy of A, but A one of B
    return (b, a, exact) if finer else (a, b, exact)


def check_case(tmp_path: Path, seed: int) -> None:
    a, b, exact = case(seed)
    first, second = pair(tmp_path, a, b)
    if same(first, second):
        assert verify(certificate(first, second, STEPS, {}, method="names"), first, second).valid
        return
    assert not exact, "redundancy in exact numbers"
    error = nearly_same_names(read_model(first), read_model(second), 16)
    changes = {"method": "names", "strength": "rounding"}
    stated = (max(1, math.ceil(error)), 16)  # with the least number, rows may fall into other classes
    proofs = [certificate(first, second, STEPS, {}, **changes, max_ulp=number) for number in stated]
    assert any(verify(proof, first, second).valid for proof in proofs)
    assert not verify(certificate(first, second, STEPS, {}, method="names"), first, second).valid
    forged = certificate(first, second, STEPS, {}, **changes, max_ulp=0)
    assert not verify(forged, first, second).valid
    within(a, b, error, np.random.default_rng(seed))


def within(a: DagNetwork, b: DagNetwork, ulps: float, rng: np.random.Generator) -> None:
    """A backward error of so many ulps moves the outputs by no more than (first order) ulps * sum |df/dw| ulp(w)."""
    for _ in range(3):
        x = rng.normal(size=a.n_inputs).tolist()
        of_a, of_b = enclose(a, x, 200), enclose(b, x, 200)
        assert of_a is not None and of_b is not None
        room = sensitivity(a, x) + sensitivity(b, x)
        for p, q, most in zip(of_a, of_b, room, strict=True):
            assert float(abs(p - q).upper()) <= 1.01 * ulps * most + 1e-30


def sensitivity(net: DagNetwork, x: list[float]) -> np.ndarray:
    """sum over all weights w of |df/dw| ulp(w), by difference quotients."""
    base, out = net.evaluate([x])[0], np.zeros(net.n_outputs)
    rows = [*(unit.row for unit in net.units), *net.outputs]
    kind = np.dtype(net.precision).type
    for k, row in enumerate(rows):
        numbers = [*row.weights, row.bias]
        for j, w in enumerate(numbers):
            if w == 0:
                continue
            step = 1e-6 * max(1.0, abs(w))
            new = [*numbers]
            new[j] = w + step
            changed = replace(row, weights=tuple(new[:-1]), bias=new[-1])
            units = [replace(u, row=changed) if i == k else u for i, u in enumerate(net.units)]
            outputs = [changed if i + len(units) == k else o for i, o in enumerate(net.outputs)]
            moved = replace(net, units=tuple(units), outputs=tuple(outputs)).evaluate([x])[0]
            out += np.abs(moved - base) / step * float(np.spacing(kind(abs(w))))
    return out


@pytest.mark.parametrize("seed", range(30))
def test_planted_redundancy_is_seen_through(tmp_path: Path, seed: int):
    check_case(tmp_path, seed)


@pytest.mark.slow
def test_planted_redundancy_is_seen_through_five_hundred_times(tmp_path: Path):
    for seed in range(30, 530):
        check_case(tmp_path, seed)


def test_two_activations_and_constants_of_both(tmp_path: Path):
    """tanh and erf in one network; tanh(1/2) is erf of nothing here, and constants cancel by name only."""
    units = [Unit("tanh", Row.of({0: 1.0}, 0.5)), Unit("erf", Row.of({0: -1.0, 1: 2.0}, 0.25))]
    constants = [Unit("tanh", Row.of({}, 0.5)), Unit("erf", Row.of({}, 0.5)), Unit("tanh", Row.of({}, -0.5))]
    net = DagNetwork(1, tuple(units), (Row.of({1: 1.0, 2: 1.0}),))
    good = DagNetwork(1, (*units, *constants), (Row.of({1: 1.0, 2: 1.0, 3: 0.75, 5: 0.75}),))
    bad = DagNetwork(1, (*units, *constants), (Row.of({1: 1.0, 2: 1.0, 3: 0.75, 4: -0.75}),))
    models = [read_model(save(n, tmp_path / f"{i}.onnx")) for i, n in enumerate((net, good, bad))]
    assert same(models[0], models[1]) and not same(models[0], models[2])


# -- different networks, and rounding that is none ---------------------------------------------------------------------


def bumped(net: DagNetwork, rng: np.random.Generator, how) -> DagNetwork:
    """One weight or bias changed."""
    rows = [*(unit.row for unit in net.units), *net.outputs]
    k = int(rng.integers(len(rows)))
    numbers = [*rows[k].weights, rows[k].bias]
    j = int(rng.integers(len(numbers)))
    numbers[j] = float(how(numbers[j]))
    row = replace(rows[k], weights=tuple(numbers[:-1]), bias=numbers[-1])
    units = tuple(replace(u, row=row) if i == k else u for i, u in enumerate(net.units))
    outputs = tuple(row if i + len(units) == k else o for i, o in enumerate(net.outputs))
    return replace(net, units=units, outputs=outputs)


@pytest.mark.parametrize("seed", range(10))
def test_near_misses(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    net = random_dag(rng, units=int(rng.integers(2, 7)), name=NAMES[seed % 5])
    tries = {"1e-3": lambda w: w + 1e-3, "40": lambda w: w + 40 * np.spacing(abs(w)), "1": np.nextafter}
    tries["1"] = lambda w: np.nextafter(w, np.inf)
    for label, how in tries.items():
        first, second = pair(tmp_path, net, bumped(planted(net, rng, False, 0), rng, how))
        models = read_model(first), read_model(second)
        differences = Differences(*models)
        x = points(rng, net.n_inputs)
        assert any(differences.largest(x, bits) > 0 for bits in (128, 512, 2048))
        if label == "1":
            assert nearly_same_names(*models, 1) <= 1.0
            continue
        with pytest.raises(Reject):
            nearly_same_names(*models, 8)
        forged = certificate(first, second, STEPS, {}, method="names", strength="rounding", max_ulp=8)
        assert not verify(forged, first, second).valid


def test_the_units_are_those_of_the_second_network(tmp_path: Path):
    """A float64 network near a float32 one is no rounding of it; the other way round it is."""
    single = replace(random_dag(np.random.default_rng(0), eighths=True), precision="float32")
    row = single.outputs[0]
    near = replace(single, outputs=(replace(row, bias=row.bias + 1e-9), *single.outputs[1:]), precision="float64")
    a, b = (read_model(path) for path in pair(tmp_path, single, near))
    assert nearly_same_names(b, a, 1) < 0.1
    with pytest.raises(Reject):
        nearly_same_names(a, b, 1000)


def test_a_weight_that_is_used_twice_does_not_move():
    """tanh(w x) + tanh(w y), one stored w, against two different weights near it: no single w serves both."""

    def net(first: str, second: str, arrays: dict[str, np.ndarray]):
        rows = [
            op("p", "mm.default", r("x"), r(first)),
            op("q", "mm.default", r("y"), r(second)),
            op("s", "tanh.default", r("p")),
            op("t", "tanh.default", r("q")),
            op("o", "add.Tensor", r("s"), r("t")),
        ]
        return program(rows, {"x": (1, 1), "y": (1, 1)}, arrays)

    up, down = np.nextafter(0.7, 1.0), np.nextafter(0.7, 0.0)
    shared = net("w", "w", {"w": np.array([[0.7]])})
    apart = net("u", "v", {"u": np.array([[up]]), "v": np.array([[down]])})
    assert nearly_same_names(shared, apart, 1) == 1.0  # u and v move to w
    frozen = net("w", "w", {"w": np.array([[up]])})
    both = net("w", "w", {"w": np.array([[down]])})
    with pytest.raises(Reject):
        nearly_same_names(frozen, both, 8)  # one w each: it stands in two rows, nothing moves


def test_a_weight_that_enters_twice_in_one_way_only_once_in_another_does_not_move():
    """A bias that is also a constant unit's argument may not move."""

    def net(b: float, c: float, extra: bool):
        rows = [
            op("z", "add.Tensor", r("x"), r("b")),
            op("h", "tanh.default", r("z")),
            op("k", "tanh.default", r("b" if extra else "c")),
            op("o", "add.Tensor", r("h"), r("k")),
        ]
        return program(rows, {"x": (1, 1)}, {"b": np.array([[b]]), "c": np.array([[c]])})

    near = float(np.nextafter(0.3, 1.0))
    assert nearly_same_names(net(0.3, 0.3, False), net(near, 0.3, False), 1) <= 1.0
    with pytest.raises(Reject):
        nearly_same_names(net(0.3, 0.3, True), net(near, near, True), 8)


@pytest.mark.parametrize("constant", ["tanh", "relu"])
def test_a_weight_that_another_number_depends_on_does_not_move(constant: str):
    """tanh(x + b) + tanh(b) + c: b cannot move, since tanh(b) would; c has room for the other constant."""

    def net(b: float):
        rows = [
            op("z", "add.Tensor", r("x"), r("b")),
            op("h", "tanh.default", r("z")),
            op("k", f"{constant}.default", r("b")),
            op("s", "add.Tensor", r("h"), r("k")),
            op("o", "add.Tensor", r("s"), r("c")),
        ]
        return program(rows, {"x": (1, 1)}, {"b": np.array([[b]]), "c": np.array([[100.0]])})

    with pytest.raises(Reject):
        nearly_same_names(net(0.3), net(float(np.nextafter(0.3, 1.0))), 8)


def test_a_weight_on_a_sum_of_units_does_not_move():
    """w reads x in one unit and x + tanh(w x) in another: it moves in neither."""
    up = float(np.nextafter(0.7, 1.0))

    def net(first: tuple):
        rows = [
            first,
            op("h", "tanh.default", r("p")),
            op("s", "add.Tensor", r("h"), r("x")),
            op("q", "mm.default", r("s"), r("w")),
            op("y", "tanh.default", r("q")),
        ]
        return program(rows, {"x": (1, 1)}, {"w": np.array([[0.7]])})

    with pytest.raises(Reject):
        nearly_same_names(net(op("p", "mm.default", r("x"), r("w"))), net(op("p", "mul.Tensor", r("x"), up)), 8)


def test_a_weight_on_a_sum_of_two_entries_moves_neither_coefficient():
    """w (h + x) against u h + w x: a change of w for h would change x as well."""

    def net(read: list[tuple]):
        rows = [op("h", "tanh.default", r("x")), *read, op("y", "tanh.default", r("q"))]
        return program(rows, {"x": (1, 1)}, {"w": np.array([[0.7]])})

    together = [op("s", "add.Tensor", r("h"), r("x")), op("q", "mm.default", r("s"), r("w"))]
    apart = [op("a", "mul.Tensor", r("h"), float(np.nextafter(0.7, 1.0))), op("b", "mul.Tensor", r("x"), 0.7)]
    with pytest.raises(Reject):
        nearly_same_names(net(together), net([*apart, op("q", "add.Tensor", r("a"), r("b"))]), 8)


def test_inputs_that_cancel_up_to_rounding_need_weights_of_their_own():
    """tanh(w h - v h) is tanh(0) if w moves to v, but not if w is read elsewhere too."""

    def net(name: str):
        rows = [
            op("h", "tanh.default", r("x")),
            op("j", "cat.default", (r("h"), r("h")), 1),
            op("c", "cat.default", (r("w"), r("v")), 0),
            op("z", "mm.default", r("j"), r("c")),
            op("t", "tanh.default", r("z")),
            op("l", "mm.default", r("x"), r(name)),
            op("y", "add.Tensor", r("t"), r("l")),
        ]
        numbers = {"w": 0.7, "v": -float(np.nextafter(0.7, 1.0)), "u": 0.7}
        return program(rows, {"x": (1, 1)}, {k: np.array([[n]]) for k, n in numbers.items()})

    line = program([op("y", "mul.Tensor", r("x"), 0.7)], {"x": (1, 1)}, {})
    assert nearly_same_names(net("u"), line, 1) <= 1.0
    with pytest.raises(Reject):
        nearly_same_names(net("w"), line, 8)


def test_a_bias_that_a_maximum_depends_on_does_not_move():
    def net(first: tuple):
        rows = [
            first,
            op("h", "tanh.default", r("p")),
            op("z", "add.Tensor", r("x"), r("b")),
            op("m", "maximum.default", r("z"), r("x")),
            op("y", "add.Tensor", r("h"), r("m")),
        ]
        return program(rows, {"x": (1, 1)}, {"b": np.array([[0.3]])})

    a = net(op("p", "add.Tensor", r("x"), r("b")))
    b = net(op("p", "add.Tensor", r("x"), float(np.nextafter(0.3, 1.0))))
    with pytest.raises(Reject):
        nearly_same_names(a, b, 8)


def test_three_units_need_one_target_for_all():
    """Both ends are within reach of the middle, but not of one another."""

    def net(*weights: float):
        rows = [op("p", "mm.default", r("x"), r("w")), op("h", "tanh.default", r("p"))]
        rows.append(op("y", "sum.dim_IntList", r("h"), (1,), True))
        return program(rows, {"x": (1, 1)}, {"w": np.array([weights])})

    step = float(np.spacing(0.7))
    assert nearly_same_names(net(0.7, 0.7), net(0.7 + 8 * step, 0.7 - 8 * step), 8) <= 8
    with pytest.raises(Reject):
        nearly_same_names(net(0.7, 0.7), net(0.7 + 10 * step, 0.7 - 10 * step), 8)


def test_a_weight_that_moves_takes_the_constant_along():
    """-w s(-x) + (q + e) is q s(x) + e once w is moved from q + e to q: not q s(x)."""
    up = float(np.nextafter(0.7, 1.0))
    rows = [op("h", "sigmoid.default", r("x")), op("y", "mul.Tensor", r("h"), 0.7)]
    a = program(rows, {"x": (1, 1)}, {})
    rows = [
        op("n", "neg.default", r("x")),
        op("h", "sigmoid.default", r("n")),
        op("p", "mul.Tensor", r("h"), r("w")),
        op("y", "add.Tensor", r("p"), up),
    ]
    b = program(rows, {"x": (1, 1)}, {"w": np.array([[-up]])})
    with pytest.raises(Reject):
        nearly_same_names(a, b, 8)
    rows[-1] = op("y", "add.Tensor", r("p"), 0.7)
    assert nearly_same_names(a, program(rows, {"x": (1, 1)}, {"w": np.array([[-up]])}), 8) == 1.0


def test_two_linear_maps_in_a_row_move_in_no_way():
    """W2 W1 x: a change of one number of W1 moves a whole row of the product."""
    rng = np.random.default_rng(0)
    arrays = {"u": rng.normal(size=(1, 2)), "v": rng.normal(size=(2, 2))}
    rows = [
        op("p", "mm.default", r("x"), r("u")),
        op("q", "mm.default", r("p"), r("v")),
        op("y", "tanh.default", r("q")),
    ]
    a = program(rows, {"x": (1, 1)}, arrays)
    b = program(rows, {"x": (1, 1)}, {**arrays, "v": np.nextafter(arrays["v"], 9.0)})
    with pytest.raises(Reject):
        nearly_same_names(a, b, 8)


def test_constants_equal_for_a_deeper_reason_are_left_open(tmp_path: Path):
    """2 arctan(1/2) + arctan(3/4) = 2 arctan(1): not by name; no bits show a difference, and none is claimed."""
    units = tuple(Unit("arctan", Row.of({}, b)) for b in (0.5, 0.75, 1.0))
    zero = DagNetwork(1, units, (Row.of({1: 2.0, 2: 1.0, 3: -2.0}),))
    first, second = pair(tmp_path, zero, DagNetwork(1, (), (Row.of({}),)))
    differences = Differences(read_model(first), read_model(second))
    assert differences.forms and not any(differences.largest([fmpq(1)], bits) > 0 for bits in (64, 1024, 4096))


# -- witnesses with more bits ----------------------------------------------------------------------------------------


def fine(x: list[str], gap: str, bits: int = 128, **more) -> list:
    return [{"step": "fine-witness", "input": x, "gap": gap, "bits": bits, **more}]


def test_a_difference_below_floats_is_shown_and_no_larger_one(tmp_path: Path):
    one = DagNetwork(1, (Unit("tanh", Row.of({0: 1.0})),), (Row.of({1: 1.0}),))
    other = DagNetwork(1, (Unit("tanh", Row.of({0: 1.0})),), (Row.of({1: 1.0}, 1e-200),))
    a, b = pair(tmp_path, one, other)
    top, bottom = (1e-200).as_integer_ratio()

    def valid(steps: list, **more) -> bool:
        return verify(
            certificate(a, b, steps, {}, claim="different", strength=None, method="witness", **more), a, b
        ).valid

    assert valid(fine(["1/2"], f"{top}/{bottom}"))
    assert not valid(fine(["1/2"], f"{top + 1}/{bottom}"))
    assert not valid(fine(["1/2"], "0"))
    assert not valid(fine(["1/2"], "1/2"))
    assert not valid(fine(["1/2", "0"], f"{top}/{bottom}"))
    assert not valid(fine(["1/2"], f"{top}/{bottom}", bits=5000))
    assert not valid(fine(["1/2"], f"{top}/{bottom}", more=1))
    assert valid(fine(["1/2"], f"{top}/{bottom}"), domain={"lo": [0.0], "hi": [1.0]})
    assert not valid(fine(["3/2"], f"{top}/{bottom}"), domain={"lo": [0.0], "hi": [1.0]})
    same_file = certificate(a, a, fine(["1/2"], "1/1000000"), {}, claim="different", strength=None, method="witness")
    assert not verify(same_file, a, a).valid


# -- forged certificates ---------------------------------------------------------------------------------------------


def test_forged_frames_are_rejected(tmp_path: Path):
    a, b, _ = case(next(s for s in range(99) if case(s)[2]))
    first, second = pair(tmp_path, a, b)
    changes = {"method": "names"}
    assert verify(certificate(first, second, STEPS, {}, **changes), first, second).valid
    forged = [
        certificate(first, second, [], {}, **changes),
        certificate(first, second, [*STEPS, *STEPS], {}, **changes),
        certificate(first, second, [{"step": "names", "table": 1}], {}, **changes),
        certificate(first, second, STEPS, {"t": np.zeros(1)}, **changes),
        certificate(first, second, STEPS, {}, method="names", strength="bound", error_bound=0.0),
        certificate(first, second, STEPS, {}, method="names", max_ulp=3),
        certificate(first, second, STEPS, {}, method="names", claim="different", strength=None),
        certificate(first, second, STEPS, {}, **changes, domain={"lo": [0.0] * 9, "hi": [1.0] * 9}),
    ]
    for proof in forged:
        assert not verify(proof, first, second).valid
    assert not verify(certificate(second, first, STEPS, {}, **changes), first, second).valid


def test_other_numbers_of_inputs_or_outputs_are_rejected(tmp_path: Path):
    nets = [
        {"W1": np.ones((m, n)), "b1": np.zeros(m), "activation": np.array("tanh")} for m, n in ((1, 2), (1, 3), (2, 2))
    ]
    paths = [save_arrays(tmp_path / f"{i}.npz", net) for i, net in enumerate(nets)]
    for other in paths[1:]:
        assert not verify(certificate(paths[0], other, STEPS, {}, method="names"), paths[0], other).valid


@pytest.mark.parametrize("seed", range(6))
def test_reductions_are_proved(tmp_path: Path, seed: int):
    """What `reduce` writes is equal to what it read, up to a stated rounding, constants folded or not."""
    from fiberscope.affine.sussmann import reduce_network

    rng = np.random.default_rng(seed)
    net = random_dag(rng, name=NAMES[seed % 5])
    big = planted(net, rng, False)
    small = reduce_network(big).network
    assert len(small.units) <= len(net.units)
    first, second = pair(tmp_path, big, small)
    error = nearly_same_names(read_model(first), read_model(second), 64)
    assert error < 4
