"""The input box of VNN-LIB files, versions 1.0 and 2.0; hostile files are refused in one line."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiberscope.equivalence.vnnlib import input_box, input_region
from fiberscope.equivalence.vnnlib_bounds import bounded
from fiberscope.errors import InputError

DECLARED = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)"
BOUNDS = "(assert (>= X_0 -1))(assert (<= X_0 0.5))(assert (>= X_1 0))(assert (<= X_1 2e-1))"

TWO = """
(vnnlib-version <2.0>)
(declare-network f
  (declare-input  X Real [1, 2])
  (declare-output Y Real [1, 1])
)
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "p.vnnlib"
    path.write_text(text)
    return path


def boxed(folder: Path, text: str, count: int = 2) -> tuple[list, list]:
    lo, hi = input_box(write(folder, text), count)
    assert lo.dtype == hi.dtype == np.float64
    return lo.tolist(), hi.tolist()


GOOD = {
    "plain": BOUNDS,
    "reversed": "(assert (<= -1 X_0))(assert (>= 0.5 X_0))(assert (<= 0 X_1))(assert (>= 2e-1 X_1))",
    "one and": "(assert (and (>= X_0 -1) (<= X_0 0.5) (>= X_1 0) (<= X_1 0.2)))",
    "one branch": "(assert (or (and (>= X_0 -1.0) (<= X_0 5e-1) (>= X_1 0) (<= X_1 0.2))))",
    "comments": "; a property\n" + BOUNDS.replace(")(", ") ; (assert (<= X_0 -9))\n("),
    "outputs": BOUNDS + "(assert (or (and (<= Y_0 0)) (and (>= Y_0 3))))",
    "tightest counts": BOUNDS + "(assert (<= X_0 7))(assert (>= X_1 -7))",
    "negated": BOUNDS.replace("X_0 -1", "X_0 (- 1)"),
    "solver": BOUNDS + "(check-sat)(exit)",
}


@pytest.mark.parametrize("name", GOOD)
def test_version_1(name: str, tmp_path: Path):
    assert boxed(tmp_path, DECLARED + GOOD[name]) == ([-1.0, 0.0], [0.5, 0.2])


def test_equality_is_a_point(tmp_path: Path):
    text = DECLARED + "(assert (= X_0 0.25))(assert (>= X_1 0))(assert (<= X_1 1))"
    assert boxed(tmp_path, text) == ([0.25, 0.0], [0.25, 1.0])


def test_version_2(tmp_path: Path):
    first, second = "X[0,0]", "X[0,1]"
    text = TWO + f"(assert (and (<= {first} 0.5) (>= {first} -1)))(assert (<= {second} 0.2))(assert (>= {second} 0))"
    assert boxed(tmp_path, text + "(assert (<= Y[0,0] 1))") == ([-1.0, 0.0], [0.5, 0.2])


def test_version_2_counts_in_the_declared_shape(tmp_path: Path):
    text = "(vnnlib-version <2.0>)(declare-network f (declare-input img Real [2,3]) (declare-output y Real [1]))"
    for i in range(2):
        for j in range(3):
            text += f"(assert (>= img[{i},{j}] {3 * i + j}))(assert (<= img[{i},{j}] {3 * i + j + 0.5}))"
    lo, hi = boxed(tmp_path, text, 6)
    assert lo == [0, 1, 2, 3, 4, 5]
    assert hi == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]


def test_version_2_pairs_share_their_inputs(tmp_path: Path):
    text = TWO + TWO.replace("<2.0>", "<2.0>").replace("network f", "network g").replace("X", "Z").replace("Y", "W")
    text += "(assert (= X[0,0] Z[0,0]))(assert (= X[0,1] Z[0,1]))"
    text += "(assert (>= X[0,0] -1))(assert (<= X[0,0] 0.5))(assert (>= X[0,1] 0))(assert (<= X[0,1] 0.2))"
    assert boxed(tmp_path, text) == ([-1.0, 0.0], [0.5, 0.2])


BAD = {
    "nothing": ("", "not a VNN-LIB file"),
    "words": ("hello", "not a VNN-LIB file"),
    "an open bracket": (DECLARED + BOUNDS + "(", "brackets do not match"),
    "a closing bracket": (DECLARED + BOUNDS + ")", "closing bracket too many"),
    "deep": ("(" * 5000 + ")" * 5000, "nested too deeply"),
    "deep constraint": (DECLARED + "(assert " + "(and " * 90 + "(<= X_0 1)" + ")" * 90 + ")", "input 0 has no"),
    "json": ('{"a": 1}', "not a VNN-LIB file"),
    "another language": ("(define x 1)", "unknown statement"),
    "no lower bound": (DECLARED + BOUNDS.replace("(assert (>= X_1 0))", ""), "input 1 has no lower or no upper"),
    "infeasible": (DECLARED + BOUNDS + "(assert (>= X_0 0.6))", "no input fits"),
    "a union": (DECLARED + BOUNDS + "(assert (or (<= X_0 0) (>= X_0 0.1)))", "only boxes"),
    "a negation": (DECLARED + BOUNDS + "(assert (not (<= X_0 0)))", "only boxes"),
    "a sum": (DECLARED + BOUNDS + "(assert (<= (+ X_0 X_1) 0))", "only a box"),
    "a product": (DECLARED + BOUNDS + "(assert (<= (* X_0 X_1) 0))", "only boxes"),
    "division by an input": (DECLARED + BOUNDS + "(assert (<= (/ 1 X_0) 0))", "only boxes"),
    "division by zero": (DECLARED + BOUNDS + "(assert (<= (/ X_0 0) 1))", "only boxes"),
    "an output in a sum": (DECLARED + BOUNDS + "(assert (<= (+ X_0 Y_0) 0))", "only boxes"),
    "never true": (DECLARED + BOUNDS + "(assert (<= (- X_0 X_0) (- 1)))", "no input fits"),
    "a cut that leaves nothing": (DECLARED + BOUNDS + "(assert (<= (+ X_0 X_1) -1.000001))", "no input fits"),
    "cuts that leave nothing": (
        DECLARED + BOUNDS + "(assert (<= (+ X_0 X_1) 0.1))(assert (>= (+ X_0 X_1) 0.100000001))",
        "no input fits",
    ),
    "a sum of what is not declared": (DECLARED + BOUNDS + "(assert (<= (+ X_0 X_7) 0))", "not declared"),
    "too large": (DECLARED + BOUNDS + "(assert (<= (* 1e-300 1e-300 X_0) 1))", "too large"),
    "huge products": (DECLARED + BOUNDS + "(assert (<= (* " + "1e300 " * 3000 + "X_0) 1))", "only boxes"),
    "inputs and outputs": (DECLARED + BOUNDS + "(assert (<= X_0 Y_0))", "only boxes"),
    "no number": (DECLARED + BOUNDS + "(assert (<= X_0 nan))", "only boxes"),
    "endless": (DECLARED + BOUNDS.replace("0.5", "inf"), "only boxes"),
    "overflow": (DECLARED + BOUNDS.replace("0.5", "1e999"), "only boxes"),
    "undeclared": (DECLARED + BOUNDS + "(assert (<= X_2 0))", "not declared"),
    "a huge index": (DECLARED + BOUNDS + "(assert (<= X_99999999999999999999 0))", "not declared"),
    "too few": ("(declare-const X_0 Real)" + BOUNDS, "is about 1 inputs"),
    "other names": ("(declare-const a Real)", "expected X_i"),
    "version 2, wrong rank": (TWO + "(assert (<= X[0] 1))", "does not fit the declared shape"),
    "version 2, out of range": (TWO + "(assert (<= X[0,2] 1))", "does not fit the declared shape"),
    "version 2, huge": (TWO.replace("[1, 2]", "[99999999999999999999, 9]"), "is about"),
    "version 2, no bounds": (TWO, "no lower or no upper"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str, tmp_path: Path):
    text, words = BAD[name]
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=words) as caught:
        input_box(path, 2)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


CUTS = {
    "a sum": ("(<= (+ X_0 (* 2 X_1)) 0.5)", [[2, 4]], [1]),
    "turned": ("(>= 0.5 (+ (* X_1 2) X_0))", [[2, 4]], [1]),
    "at least": ("(>= (- X_0 X_1) -0.25)", [[-4, 4]], [1]),
    "both sides": ("(<= (+ X_0 1) (- X_1))", [[1, 1]], [-1]),
    "two inputs": ("(<= X_0 X_1)", [[1, -1]], [0]),
    "quotient": ("(<= (/ (+ X_0 X_1) 4) 0.1)", [[5, 5]], [2]),
    "an equation": ("(= (+ X_0 X_1) 0)", [[1, 1], [-1, -1]], [0, 0]),
}


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("version", [1, 2])
def test_cuts(name: str, version: int, tmp_path: Path):
    text, G, h = CUTS[name]
    text = DECLARED + BOUNDS + f"(assert {text})"
    if version == 2:
        text = TWO + text.removeprefix(DECLARED).replace("X_0", "X[0,0]").replace("X_1", "X[0,1]")
    (lo, hi), rows = input_region(write(tmp_path, text), 2)
    assert rows is not None
    assert (lo.tolist(), hi.tolist()) == ([-1.0, 0.0], [0.5, 0.2])
    assert (rows[0].tolist(), rows[1].tolist()) == (G, h)


def test_a_bound_in_disguise_is_a_bound(tmp_path: Path):
    text = DECLARED + BOUNDS + "(assert (<= (- (* 2 X_0) (+ X_1 1)) (- X_1)))"
    (_, hi), rows = input_region(write(tmp_path, text), 2)
    assert rows is None
    assert hi.tolist() == [0.5, 0.2]
    (_, hi), rows = input_region(write(tmp_path, text.replace("(* 2 X_0)", "(* -4 X_0)")), 2)
    assert rows is None
    assert input_box(tmp_path / "p.vnnlib", 2)[0].tolist() == [-0.25, 0.0]


def test_rows_of_floats_lose_no_input(tmp_path: Path):
    """Slopes that float64 does not hold: every rational point of the text's set is in the set of the floats."""
    slopes = Fraction(1, 3), Fraction(10**17 + 1, 7)
    text = DECLARED + BOUNDS + f"(assert (<= (+ (/ X_0 3) (/ (* {10**17 + 1} X_1) 7)) {'0.1' + 25 * '3'}))"
    _, rows = input_region(write(tmp_path, text), 2)
    assert rows is not None
    limit = Fraction("0.1" + 25 * "3")
    g, h = [Fraction(v) for v in rows[0][0].tolist()], Fraction(float(rows[1][0]))
    for x0 in (Fraction(-1), Fraction(1, 2), Fraction(0)):
        x1 = (limit - slopes[0] * x0) / slopes[1]  # on the face
        assert g[0] * x0 + g[1] * x1 <= h


def test_version_2_cuts_of_another_network_count_where_tied(tmp_path: Path):
    text = TWO + TWO.replace("network f", "network g").replace("X", "Z").replace("Y", "W")
    text += "(assert (and (<= X[0,0] 0.5) (>= X[0,0] -1) (<= X[0,1] 0.2) (>= X[0,1] 0)))"
    text += "(assert (<= (+ Z[0,0] Z[0,1]) 0))"
    assert input_region(write(tmp_path, text), 2)[1] is None
    rows = input_region(write(tmp_path, text + "(assert (= X[0,0] Z[0,0]))(assert (= X[0,1] Z[0,1]))"), 2)[1]
    assert rows is not None
    assert rows[0].tolist() == [[1, 1]]


def test_files_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "bytes").write_bytes(bytes(range(256)))
    for path in (tmp_path / "missing", tmp_path, tmp_path / "bytes"):
        with pytest.raises(InputError, match="cannot be read"):
            input_box(path, 2)


@given(st.text(alphabet="()<>=+*/ X_01Y[],.;-eadnorssert\n", max_size=200))
def test_noise_is_refused_or_read(tmp_path_factory, text: str):
    """Any text: a box, perhaps cut, or an InputError; nothing else."""
    path = write(tmp_path_factory.getbasetemp(), DECLARED + BOUNDS + text)
    try:
        (lo, hi), _ = input_region(path, 2)
    except InputError:
        return
    assert np.all(lo <= hi)
    assert np.all(lo >= [-1, 0])
    assert np.all(hi <= [0.5, 0.2])


def test_published_properties(acasxu: Path):
    lo, hi = input_box(acasxu / "specs" / "properties" / "prop_3.vnnlib", 5)
    assert np.all(lo < hi)
    assert lo[0] == pytest.approx(-0.303531156)
    for path in sorted((acasxu / "specs").glob("*/instance_0.vnnlib")):
        low, high = input_box(path, 5)
        assert np.all(low <= high)


# inputs that only linear constraints bound


def test_constraints_that_bound_inputs_without_bounds_of_their_own(tmp_path: Path):
    simplex = DECLARED + "(assert (>= X_0 0))(assert (>= X_1 0))(assert (<= (+ X_0 X_1) 1))"
    (lo, hi), rows = input_region(write(tmp_path, simplex), 2)
    assert (lo.tolist(), hi.tolist()) == ([0, 0], [1, 1])
    assert rows is not None
    assert (rows[0].tolist(), rows[1].tolist()) == ([[1, 1]], [1])
    square = "".join(f"(assert (<= ({form}) 1))" for form in ("+ X_0 X_1", "- X_0 X_1", "- X_1 X_0", "- 0 X_0 X_1"))
    (lo, hi), _ = input_region(write(tmp_path, DECLARED + square), 2)
    assert (lo.tolist(), hi.tolist()) == ([-1, -1], [1, 1])
    sheared = DECLARED + "(assert (= X_0 0.5))(assert (<= (+ X_0 X_1) 1))(assert (>= (+ X_1 (* 3 X_0)) 0))"
    (lo, hi), _ = input_region(write(tmp_path, sheared), 2)
    assert (lo.tolist(), hi.tolist()) == ([0.5, -1.5], [0.5, 0.5])


@pytest.mark.parametrize(
    ("more", "number"),
    [
        ("(assert (>= X_0 0))(assert (>= X_1 0))(assert (<= (- X_0 X_1) 1))", 0),
        ("(assert (<= (+ X_0 X_1) 1))(assert (>= (+ X_0 X_1) -1))", 0),
        ("(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= (+ X_0 X_1) 1))", 1),
    ],
)
def test_constraints_that_leave_an_input_free(more: str, number: int, tmp_path: Path):
    with pytest.raises(InputError, match=f"input {number} has no lower or no upper bound"):
        input_region(write(tmp_path, DECLARED + more), 2)


@given(st.integers(0, 10**6))
def test_bounds_from_constraints_are_true_and_tight(seed: int):
    """Three random halfplanes with decimals: every corner that satisfies all of them, exactly, is inside and met."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 3))
    rows = []
    for angle in angles:
        g = [Fraction(round(1000 * f(angle)), 1000) for f in (np.cos, np.sin)]
        rows.append(({i: v for i, v in enumerate(g) if v}, Fraction(int(rng.integers(1, 1000)), 700)))
    low, high = bounded(rows, np.full(2, -np.inf), np.full(2, np.inf))
    corners = []
    for (p, s), (q, t) in combinations(rows, 2):
        a, b, c, d = p.get(0, 0), p.get(1, 0), q.get(0, 0), q.get(1, 0)
        det = Fraction(a * d - b * c)
        corners += [((d * s - b * t) / det, (a * t - c * s) / det)] if det else []
    inside = [x for x in corners if all(sum(v * x[i] for i, v in g.items()) <= limit for g, limit in rows)]
    for x in inside:
        assert all(not np.isfinite(low[i]) or Fraction(low[i]) <= x[i] for i in (0, 1))
        assert all(not np.isfinite(high[i]) or x[i] <= Fraction(high[i]) for i in (0, 1))
    if np.isfinite([low, high]).all():
        for i in (0, 1):
            assert low[i] == pytest.approx(float(min(x[i] for x in inside)), rel=1e-12, abs=1e-12)
            assert high[i] == pytest.approx(float(max(x[i] for x in inside)), rel=1e-12, abs=1e-12)
    gaps = np.diff([*angles, angles[0] + 2 * np.pi])
    assert np.isfinite([low, high]).all() or gaps.max() > np.pi - 0.01
