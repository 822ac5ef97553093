"""Discovery finds every known symmetry, from values alone, and none where there is none."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
from flint import arb, ctx

from fiberscope.activations.parser import parse
from fiberscope.activations.proof import is_zero
from fiberscope.activations.table import LAWS
from fiberscope.affine.activation import Activation, activation, from_expression, from_function
from fiberscope.affine.discovery.dictionary import Dictionary
from fiberscope.affine.discovery.findings import Findings
from fiberscope.affine.discovery.nullspace import Elimination
from fiberscope.affine.discovery.search import discover
from fiberscope.affine.relation import Relation
from fiberscope.errors import InputError

HALF_LINEAR = ("gelu", "gelu_tanh", "silu", "softplus", "hardswish", "logsigmoid")
SIGNS = ("tanh", "erf", "softsign", "arctan", "tanhshrink", "hardshrink")
slow = pytest.mark.slow
ODD = (*SIGNS, "sin", "hardtanh", "softshrink")


@lru_cache(maxsize=64)
def findings(name: str) -> Findings:
    return activation(name).findings


def known() -> list[tuple[str, str]]:
    """Every identity of the table, as an expression that vanishes."""
    rows = [(n, f"{n}(x) + {n}(-x)") for n in (*ODD, "cube", "sign", "identity")]
    rows += [(n, f"{n}(x) - {n}(-x)") for n in ("gaussian", "cos", "abs", "square")]
    rows += [(n, f"{n}(x) + {n}(-x) - 1") for n in ("sigmoid", "hardsigmoid")]
    rows += [("relu6", "relu6(x) + relu6(6 - x) - 6")]
    for n, L in [*((n, "1") for n in (*HALF_LINEAR, "relu")), ("leaky_relu", "1.01"), ("prelu", "1.25")]:
        rows += [
            (n, f"{n}(x) - {n}(-x) - {L}*x"),
            (n, f"{n}(x + 1) - {n}(-x - 1) - {n}(x) + {n}(-x) - {L}"),
            (n, f"{n}(2*x) - {n}(-2*x) - 2*{n}(x) + 2*{n}(-x)"),
            (n, f"5*({n}(3*x + 2) - {n}(-3*x - 2)) + 3*({n}(1 - 5*x) - {n}(5*x - 1)) - 13*{L}"),
        ]
    rows += [(n, f"{n}(7/3*x) - 7/3*{n}(x)") for n in ("relu", "leaky_relu", "prelu", "abs")]
    rows += [("square", "square(7/3*x) - 49/9*square(x)"), ("cube", "cube(-3*x) + 27*cube(x)")]
    rows += [("sign", "sign(7*x) - sign(x)"), ("heaviside", "heaviside(7*x) - heaviside(x)")]
    for m in range(2, 6):
        terms = "+".join(f"hardtanh({m}*x + {m - 1 - 2 * j})" for j in range(m))
        rows += [("hardtanh", f"{terms} - {m}*hardtanh(x)")]
        rows += [("relu6", "+".join(f"relu6({m}*x - {6 * j})" for j in range(m)) + f" - {m}*relu6(x)")]
        terms = "+".join(f"hardsigmoid({m}*x + {3 * (m - 1 - 2 * j)})" for j in range(m))
        rows += [("hardsigmoid", f"{terms} - {m}*hardsigmoid(x)")]
    rows += [(n, f"{n}(x) - 2*cos(1)*{n}(x + 1) + {n}(x + 2)") for n in ("sin", "cos")]
    rows += [(n, f"{n}(x + 3*pi) + {n}(x)") for n in ("sin", "cos")]
    rows += [("exp", "exp(x + 3/7) - exp(3/7)*exp(x)")]
    rows += [("square", "square(x + 2) - 2*square(x + 1) + square(x) - 2")]
    rows += [("cube", "cube(x + 3) - 3*cube(x + 2) + 3*cube(x + 1) - cube(x) - 6")]
    deep = "5*(gelu_tanh("  # true, but beyond the normal form: too many exponentials of cubics at once
    return [row for row in rows if not row[1].startswith(deep)]


@pytest.mark.parametrize(("name", "text"), known())
def test_every_identity_of_the_table_is_proved_and_holds_to_forty_digits(name: str, text: str):
    e = parse(text)
    assert is_zero(e)
    rng = np.random.default_rng(5)
    from fiberscope.activations.evaluation import ball_value

    with ctx.workdps(60):
        for x in rng.uniform(-12, 12, 12):
            assert abs(ball_value(e, arb(float(x)))) < arb("1e-40")


def vector(relation: Relation) -> set[tuple[str, str, str]]:
    return {(str(a), str(b), str(g)) for a, b, g in relation.terms}


def has(found: Findings, terms: list[tuple[str, str, str]], constant: str = "0", linear: str = "0") -> bool:
    """Whether a relation is listed, up to a factor."""
    for relation in found.symmetries:
        for lead in relation.terms:
            if not lead[0].number or all(Fraction(t[0]) == 0 for t in terms):
                continue
            by = {(b.number, g.number): a.number for a, b, g in relation.terms}
            wanted = {(Fraction(b), Fraction(g)): Fraction(a) for a, b, g in terms}
            if set(by) != set(wanted) or None in by.values():
                continue
            ratio = {by[k] / wanted[k] for k in wanted if by[k] is not None}  # type: ignore[operator]
            if len(ratio) == 1:
                r = ratio.pop()
                ends = relation.constant.number, relation.linear.number
                if ends == (r * Fraction(constant), r * Fraction(linear)):
                    return True
    return False


@pytest.mark.parametrize("name", [n if n in ("tanh", "hardshrink") else pytest.param(n, marks=slow) for n in SIGNS])
def test_odd_functions_have_only_their_sign(name: str):
    found = findings(name)
    assert [str(law) for law in found.one_unit] == ["rho(-t) = -rho(t)"]
    assert found.symmetries == () and found.scaling == "sign" and found.reflection is None


@pytest.mark.parametrize(
    "name", [n if n in ("gelu", "hardswish") else pytest.param(n, marks=slow) for n in HALF_LINEAR]
)
def test_the_reflection_law_and_its_circuits_of_four(name: str):
    found = findings(name)
    assert found.one_unit == () and found.offset == 1
    assert has(found, [("1", "1", "0"), ("-1", "-1", "0")], linear="1")
    assert has(found, [("1", "1", "1"), ("-1", "-1", "-1"), ("-1", "1", "0"), ("1", "-1", "0")], constant="1")
    assert has(found, [("1", "2", "0"), ("-1", "-2", "0"), ("-2", "1", "0"), ("2", "-1", "0")])
    assert all(r.proved and (r.error_bound or 0) < 1e-100 for r in found.symmetries)


@pytest.mark.parametrize(
    ("name", "offset"),
    [("relu", 1), pytest.param("leaky_relu", 1.01, marks=slow), pytest.param("prelu", 1.25, marks=slow)],
)
def test_relus(name: str, offset: float):
    found = findings(name)
    assert found.offset == offset and found.scaling == "positive" and found.complete
    assert [law.to_json()["beta"] for law in found.one_unit] == ["b>0"]
    assert {len(r.terms) for r in found.symmetries} == {2, 4}


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("hardtanh", [("2", "1", "0"), ("-1", "2", "1"), ("-1", "2", "-1")]),
        ("hardtanh", [("3", "1", "0"), ("-1", "3", "0"), ("-1", "3", "2"), ("-1", "3", "-2")]),
        ("relu6", [("2", "1", "0"), ("-1", "2", "0"), ("-1", "2", "-6")]),
        ("hardsigmoid", [("2", "1", "0"), ("-1", "2", "3"), ("-1", "2", "-3")]),
    ],
)
def test_refinements(name: str, terms: list[tuple[str, str, str]]):
    found = findings(name)
    assert has(found, terms) and not found.complete


def test_the_centre_of_relu6_and_of_the_sigmoids():
    assert [str(law) for law in findings("relu6").one_unit] == ["rho(-t + 6) = -rho(t) + 6"]
    for name in ("sigmoid", "hardsigmoid"):
        assert [str(law) for law in findings(name).one_unit] == ["rho(-t) = -rho(t) + 1"]
        assert findings(name).scaling == "one"


@pytest.mark.parametrize(("name", "sign"), [("sin", "-"), pytest.param("cos", "", marks=slow)])
def test_periods_and_three_phases(name: str, sign: str):
    found = findings(name)
    texts = [str(law) for law in found.one_unit]
    assert texts == [f"rho(-t) = {sign}rho(t)", "rho(t + k*pi) = (-1)^k rho(t)   (k a whole number)"]
    assert any(len(r.terms) == 3 and r.proved and "cos(1)" in str(r) for r in found.symmetries)


@pytest.mark.parametrize(
    ("name", "beta", "factor"),
    [
        ("abs", "b!=0", "abs(b)"),
        ("square", "b!=0", "b**2"),
        pytest.param("cube", "b!=0", "b**3", marks=slow),
        ("sign", "b!=0", "sign(b)"),
    ],
)
def test_scalings(name: str, beta: str, factor: str):
    (law,) = findings(name).one_unit
    assert (law.to_json()["beta"], law.to_json()["lambda"], law.proved) == (beta, factor, True)


@pytest.mark.slow
def test_powers_have_their_differences():
    assert has(findings("square"), [("2", "1", "0"), ("-1", "1", "1"), ("-1", "1", "-1")], constant="-2")
    third = [("3", "1", "0"), ("-3", "1", "1"), ("-1", "1", "-1"), ("1", "1", "2")]
    assert has(findings("cube"), third, constant="6")


@pytest.mark.slow
def test_exp_shifts_and_the_identity_mixes():
    (law,) = findings("exp").one_unit
    assert (law.to_json()["gamma"], law.to_json()["lambda"], law.proved) == ("g", "exp(g)", True)
    assert findings("identity").mixing == "general_linear"


def test_heaviside_turns_round_except_at_zero():
    found = findings("heaviside")
    assert found.scaling == "positive" and [law.condition for law in found.one_unit] == ["b > 0"]
    assert [(str(r), r.except_at, r.proved) for r in found.almost_everywhere] == [
        ("rho(-t) + rho(t) = 1", (Fraction(0),), False)
    ]


NONE = ["elu", "selu", "mish", pytest.param("celu(0.5)", marks=slow), pytest.param("elu(2.5)", marks=slow)]


@pytest.mark.parametrize("name", NONE)
def test_none_for_elu_selu_mish(name: str):
    found = findings(name)
    assert (found.one_unit, found.symmetries, found.reflection, found.scaling) == ((), (), None, "one")
    assert found.complete and found.dictionary.to_json()["beta"]


def test_the_residues_in_the_proof_for_mish():
    """R of the recorded proof against a contour integral, and its argument."""
    angles = np.exp(2j * np.pi * np.arange(400) / 400)
    pole = np.log(2) / 2 + 0.75j * np.pi
    z = pole + 0.3 * angles
    w = (1 + np.exp(z)) ** 2
    measured = np.mean(z * (w - 1) / (w + 1) * 0.3 * angles)
    stated = (np.log(2) / 2 + 0.75j * np.pi) / (1 + 1j)
    assert abs(measured - stated) < 1e-12 and abs(stated.real) > 0.1 and abs(stated.imag) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LAWS))
def test_the_table_of_laws_is_what_the_expressions_say(name: str):
    """log, sign, linear, reflection of the low floor's table, derived again."""
    found, law = findings(name), LAWS[name]
    assert found.mixing == ("general_linear" if law.linear else "permutation")
    if not law.linear:
        assert found.scaling == law.scaling
    parity = is_zero(parse(f"{name}(x) + {name}(-x)")), is_zero(parse(f"{name}(x) - {name}(-x)"))
    assert parity == (law.sign == "odd", law.sign == "even")
    offset = law.reflection()
    assert (found.offset is None) == (offset is None)
    if offset is not None and found.offset is not None:
        assert float(offset) == pytest.approx(float(found.offset), abs=1e-15)
    if law.log is not None and not law.linear:
        assert is_zero(parse(f"{name}(7/3*x) - (7/3)**{law.log}*{name}(x)"))


def test_shifts_on_no_grid_are_found_and_proved():
    found = from_expression("silu(x - 7/10)").findings
    assert found.symmetries == () or all(r.proved for r in found.symmetries)
    found = from_expression("tanh(x - 0.35)").findings
    assert [str(law) for law in found.one_unit] == ["rho(-t + 7/10) = -rho(t)"] and found.one_unit[0].proved
    found = from_expression("sin(3*x)*cos(x) + 1").findings
    assert [str(law) for law in found.one_unit][-1].startswith("rho(t + k*pi) = ")
    found = from_expression("exp(-(x - 1/7)**2)*cos(2*x - 2/7)").findings
    assert [str(law) for law in found.one_unit] == ["rho(-t + 2/7) = rho(t)"]


@pytest.mark.slow
def test_homogeneity_about_another_point():
    found = from_expression("5 + 3*abs(x - 2)").findings
    (law,) = found.one_unit
    assert law.proved and law.condition == "b != 0" and law.to_json()["gamma"] == "2*(1-b)"
    found = from_expression("relu(x)**2 - relu(-x)**2").findings
    assert [law.to_json()["beta"] for law in found.one_unit] == ["b!=0"]
    found = from_expression("2*exp(3*x) - 1").findings
    assert [law.to_json()["lambda"] for law in found.one_unit] == ["exp(3*g)"]


def test_a_proved_equal_inherits_the_theorem():
    found = from_expression("x/(1 + exp(-x))").findings
    assert found.same_as == "silu" and found.complete
    almost = from_expression("x/(1 + exp(-x)) + gaussian(x)/10**30").findings
    assert almost.same_as is None and not almost.complete


def test_a_tiny_break_of_a_symmetry_is_seen():
    """1e-30 beside tanh: nothing that float64 could see."""
    found = from_expression("tanh(x) + gaussian(x)/10**30").findings
    assert found.one_unit == () and found.symmetries == ()


@pytest.mark.slow
def test_piecewise_functions_are_sampled_everywhere():
    """Equal to ReLU except on a short piece far away; its scaling and reflection must not be claimed."""
    found = from_expression("relu(x) + relu(x - 1000) - 2*relu(x - 1000.01) + relu(x - 1000.02)").findings
    assert found.one_unit == () and found.reflection is None


def test_functions_of_balls_are_searched_but_never_proved():
    rho = from_function(lambda x: x.atan() if isinstance(x, arb) else 1 / 0, "mine")
    found = discover(rho, Dictionary((Fraction(1), Fraction(-1), Fraction(2)), (Fraction(0), Fraction(1))))
    (law,) = found.one_unit
    assert str(law) == "rho(-t) = -rho(t)" and not law.proved and not found.complete


def test_the_elimination_against_exact_rank():
    rng = np.random.default_rng(0)
    matrix = rng.integers(-4, 5, (12, 5)) @ rng.integers(-4, 5, (5, 9))
    with ctx.workdps(260):
        elimination = Elimination()
        basis: list[int] = []
        for j in range(9):
            coefficients = elimination.add([arb(int(v)) for v in matrix[:, j]])
            if coefficients is None:
                basis.append(j)
                continue
            again = matrix[:, basis] @ np.array([float(c) for c in coefficients])
            assert np.allclose(again, matrix[:, j], atol=1e-9)
    assert len(basis) == np.linalg.matrix_rank(matrix)


def test_bad_names():
    for text in ("reluu", "tanh(0.1)", "leaky_relu(x)", "leaky_relu(1e999)", "leaky_relu(nan)", "relu()", "celu(0)"):
        with pytest.raises(InputError):
            activation(text)


def test_results_are_plain_json():
    import json

    for name in ("relu", "sin", "relu6", "exp"):
        assert json.loads(json.dumps(findings(name).to_json()))["name"] == name
    assert isinstance(activation("relu"), Activation)
