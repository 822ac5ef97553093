"""Certificates about one hidden layer: the checker's own normal form against brute force, and forged claims."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from tests.verify.forge import certificate, save

from fiberscope_verify import read_chain, verify
from fiberscope_verify.chain import Chain, Layer
from fiberscope_verify.shallow import difference
from fiberscope_verify.trees import X

Net = tuple[list, list, list, list]  # W [d][n], b [d], q [k][d], c [k]
RELU = ("map", "relu", (), X)


def file_of(path, net: Net, activation: str = "relu"):
    arrays = {
        name: np.array(values, dtype=np.float64) for name, values in zip(("W1", "b1", "W2", "b2"), net, strict=True)
    }
    return save(path, {**arrays, "activation": np.array(activation)})


def chain(net: Net, tree=RELU) -> Chain:
    W, b, q, c = (np.array(v, dtype=np.float64) for v in net)
    none = [np.zeros(v.shape) for v in (W, b, q, c)]
    return Chain([Layer(W, b, none[0], none[1], tree), Layer(q, c, none[2], none[3], None)])


# -- brute force: values at all vertices of the arrangement, in Fractions --------------------------------------------


def value(net: Net, x: tuple, below: Fraction) -> list[Fraction]:
    W, b, q, c = net
    z = [Fraction(t) + sum(Fraction(w) * v for w, v in zip(row, x, strict=True)) for row, t in zip(W, b, strict=True)]
    h = [v if v > 0 else below * v for v in z]
    return [
        Fraction(t) + sum(Fraction(p) * v for p, v in zip(row, h, strict=True)) for row, t in zip(q, c, strict=True)
    ]


def vertices(nets: list[Net], lo: Fraction, hi: Fraction) -> set[tuple]:
    """Where n of the boundaries and faces of the box [lo, hi]^n meet, inside the box; n = 1 or 2."""
    n = len(nets[0][0][0])
    planes = {
        (*map(Fraction, row), Fraction(t)) for W, b, _, _ in nets for row, t in zip(W, b, strict=True) if any(row)
    }
    for i in range(n):
        planes |= {(*(Fraction(i == j) for j in range(n)), -edge) for edge in (lo, hi)}
    points: set[tuple] = set()
    for chosen in itertools.combinations(sorted(planes), n):
        if n == 1:
            points.add((-chosen[0][1] / chosen[0][0],))
            continue
        (a, b, e), (c, d, f) = chosen
        if a * d != b * c:
            points.add(((b * f - d * e) / (a * d - b * c), (c * e - a * f) / (a * d - b * c)))
    return {p for p in points if all(lo <= v <= hi for v in p)}


def same(a: Net, b: Net, box: tuple | None, below: Fraction = Fraction(0)) -> bool:
    """Both are affine on every cell of the arrangement in the box, and a cell is spanned by its vertices. On R^n a box
    with all vertices inside is enough: it meets every cell in an open set."""
    if box is None:
        most = max((abs(v) for p in vertices([a, b], Fraction(-(10**6)), Fraction(10**6)) for v in p), default=1)
        inner = vertices([a, b], -most, most)  # pyright: ignore[reportArgumentType]
        most = 1 + max((abs(v) for p in inner for v in p), default=Fraction(0))
        box = (-most, most)
    lo, hi = map(Fraction, box)
    return all(value(a, p, below) == value(b, p, below) for p in vertices([a, b], lo, hi))


def random_net(rng: np.random.Generator, d: int, n: int, k: int) -> Net:
    W, b, q, c = (
        rng.integers(-2, 3, (d, n)), rng.integers(-2, 3, d), rng.integers(-2, 3, (k, d)), rng.integers(-2, 3, k)
    )  # fmt: skip
    return W.tolist(), b.tolist(), q.tolist(), c.tolist()


def rewritten(rng: np.random.Generator, net: Net, below: Fraction) -> Net:
    """Another network of the same function: units split, scaled, reversed with what they leave put on a fresh pair."""
    W, b, q, c = ([*map(list, net[0])], [*net[1]], [*map(list, zip(*net[2], strict=True))], [*net[3]])
    for _ in range(int(rng.integers(1, 4))):
        i = int(rng.integers(len(W)))
        kind = rng.choice(["scale", "split", "reverse", "dead", "constant"])
        if kind == "scale":
            W[i], b[i], q[i] = [2 * w for w in W[i]], 2 * b[i], [v / 2 for v in q[i]]
        if kind == "split":
            share = rng.integers(-2, 3, len(c)).tolist()
            W.append([*W[i]]), b.append(b[i]), q.append([v - s for v, s in zip(q[i], share, strict=True)])
            q[i] = share
        if kind == "reverse":  # q s(z) = q s(-z) + q (1 + below) z, and (1 + below) z = s(z + m) - s(-z - m) - ...
            m = int(rng.integers(-3, 4))
            old, row, t = q[i], W[i], b[i]
            W[i], b[i] = [-w for w in row], -t
            W += [[*row], [-w for w in row]]
            b += [t + m, -t - m]
            q += [old, [-v for v in old]]
            c = [v - float((1 + below) * m) * p for v, p in zip(c, old, strict=True)]
        if kind == "dead":
            (
                W.append(rng.integers(-2, 3, len(W[0])).tolist()),
                b.append(int(rng.integers(-2, 3))),
                q.append([0] * len(c)),
            )
        if kind == "constant":
            t, p = int(rng.integers(-2, 3)), rng.integers(-2, 3, len(c)).tolist()
            W.append([0] * len(W[0])), b.append(t), q.append(p)
            at = t if t > 0 else float(below * t)
            c = [v - at * s for v, s in zip(c, p, strict=True)]
    order = rng.permutation(len(W))
    return [W[i] for i in order], [b[i] for i in order], [[q[i][o] for i in order] for o in range(len(c))], c


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("k", [1, 2])
def test_brute_force_on_small_integers(n, k):
    rng = np.random.default_rng(10 * n + k)
    equal = 0
    for trial in range(120):
        below = Fraction(int(rng.choice([0, 0, 1, -2]))) / 2
        tree = RELU if below == 0 else ("map", "leaky_relu", (float(below).hex(),), X)
        a = random_net(rng, int(rng.integers(1, 4)), n, k)
        b = rewritten(rng, a, below) if trial % 2 else random_net(rng, int(rng.integers(1, 4)), n, k)
        if trial % 4 == 3:  # one number moved by one
            part = b[int(rng.integers(4))]
            row = part[int(rng.integers(len(part)))] if isinstance(part[0], list) else part
            row[int(rng.integers(len(row)))] += int(rng.choice([-1, 1]))
        for box in (None, (-1, 1), (0, 3), (-2, -1)):
            truth = same(a, b, box, below)
            edges = None if box is None else tuple(np.full(n, float(v)) for v in box)
            assert difference(chain(a, tree), chain(b, tree), edges).zero == truth, (a, b, box, below)  # pyright: ignore[reportArgumentType]
            equal += truth
    assert equal > 80  # both answers occur


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_every_pair_of_tiny_networks(n):
    """All networks of one unit against all of two units with entries -1, 0, 1, on R^n and on a box."""
    digits = (-1, 0, 1)
    units = list(itertools.product(digits, repeat=n + 2))
    ones = [([list(u[:n])], [u[n]], [[u[n + 1]]], [c]) for u in units for c in digits]
    rng = np.random.default_rng(n)
    twos = [([list(u[:n]), list(v[:n])], [u[n], v[n]], [[u[n + 1], v[n + 1]]], [0])
            for u, v in itertools.combinations_with_replacement(units, 2)]  # fmt: skip
    picks = rng.permutation(len(twos))[:60]
    for a in ones:
        for b in (twos[i] for i in picks):
            for box in (None, (-1, 1)):
                edges = None if box is None else (np.full(n, -1.0), np.full(n, 1.0))
                assert difference(chain(a), chain(b), edges).zero == same(a, b, box), (a, b, box)


def test_the_difference_has_the_values_of_the_difference():
    rng = np.random.default_rng(5)
    for _ in range(100):
        a, b = (random_net(rng, 3, 2, 2) for _ in range(2))
        found = difference(chain(a), chain(b))
        x = tuple(Fraction(int(v), 7) for v in rng.integers(-30, 30, 2))
        truth = [p - q for p, q in zip(value(a, x, Fraction(0)), value(b, x, Fraction(0)), strict=True)]
        shown = found.at([fmpq(v.numerator, v.denominator) for v in x])
        assert [Fraction(int(v.p), int(v.q)) for v in shown] == truth


def test_flat_boxes():
    """On a box that is a segment or a point, other functions agree."""
    first, second = ([[1, 0]], [0], [[1]], [0]), ([[1, 1]], [-1], [[1]], [0])
    lo, hi = np.array([-1.0, 1.0]), np.array([1.0, 1.0])
    assert difference(chain(first), chain(second), (lo, hi)).zero
    assert not difference(chain(first), chain(second), (lo, np.array([1.0, 1.5]))).zero
    third = ([[5, 7]], [1], [[0]], [2])
    point = np.array([2.0, -1.0])
    assert difference(chain(first), chain(third), (point, point)).zero
    assert not difference(chain(first), chain(third), (point - 1, point)).zero


# -- certificates ----------------------------------------------------------------------------------------------------

PAIRS = [  # the reversal that leaves something behind, and the boundary that the function does not see
    (([[1], [1]], [0, -1], [[1, 1]], [0]), ([[1], [-1], [-1]], [0, 0, 1], [[2, -1, 1]], [-1])),
    (([[1, 0]], [0], [[1]], [0]), ([[-1, 0], [1, 0], [-1, 0]], [0, 5, -5], [[1, 1, -1]], [-5])),
]
NOTHING = {"method": "shallow"}


@pytest.mark.parametrize("index", [0, 1])
def test_published_pairs(tmp_path, index):
    a, b = (file_of(tmp_path / f"{i}.npz", net) for i, net in enumerate(PAIRS[index]))
    report = verify(certificate(a, b, [], {}, **NOTHING), a, b)
    assert report.valid, report.reason
    n = len(PAIRS[index][0][0][0])
    assert verify(certificate(a, b, [], {}, **NOTHING, domain={"lo": [-1] * n, "hi": [2] * n}), a, b).valid
    for name, entry in itertools.product(range(4), range(3)):
        wrong = [np.array(v, dtype=np.float64) for v in PAIRS[index][1]]
        flat = wrong[name].reshape(-1)
        if entry >= len(flat) or (name == 0 and index == 1 and flat[entry] == 0):
            continue
        flat[entry] = np.nextafter(flat[entry], 9.0)
        c = file_of(tmp_path / "wrong.npz", tuple(wrong))  # pyright: ignore[reportArgumentType]
        assert not verify(certificate(a, c, [], {}, **NOTHING), a, c).valid, (name, entry)


def test_forged_frames(tmp_path):
    a, b = (file_of(tmp_path / f"{i}.npz", net) for i, net in enumerate(PAIRS[0]))
    for change in (
        {"claim": "different"},
        {"strength": "rounding", "max_ulp": 1},
        {"strength": None},
        {"strength": "bound", "error_bound": 1.0},
        {"steps": [{"step": "trust"}]},
        {"domain": {"lo": [0, 0], "hi": [1, 1]}},
        {"models": [{"sha256": "0" * 64, "format": "npz"}] * 2},
    ):
        assert not verify(certificate(a, b, **({"steps": [], "arrays": {}} | NOTHING | change)), a, b).valid, change  # pyright: ignore[reportArgumentType]
    assert not verify(certificate(a, b, [], {"spare": np.ones(1)}, **NOTHING), a, b).valid


def test_equal_on_a_box_only(tmp_path):
    """relu(x) and relu(x) + relu(x - 2) agree up to 2, and a boundary on the edge of the box counts as outside."""
    a, b = (
        file_of(tmp_path / "a.npz", ([[1]], [0], [[1]], [0])),
        file_of(tmp_path / "b.npz", ([[1], [1]], [0, -2], [[1, 1]], [0])),
    )
    for hi, good in ((2.0, True), (1.0, True), (float(np.nextafter(2.0, 3.0)), False)):
        report = verify(certificate(a, b, [], {}, **NOTHING, domain={"lo": [-1], "hi": [hi]}), a, b)
        assert report.valid is good
    assert not verify(certificate(a, b, [], {}, **NOTHING), a, b).valid


def test_other_networks_are_refused(tmp_path):
    a = file_of(tmp_path / "a.npz", PAIRS[0][0])
    deep = save(tmp_path / "deep.npz", {f"{c}{i}": np.ones((1, 1) if c == "W" else 1) for c in "Wb" for i in (1, 2, 3)})
    smooth = file_of(tmp_path / "smooth.npz", PAIRS[0][0], "gelu")
    for other in (deep, smooth):
        assert not verify(certificate(other, other, [], {}, **NOTHING), other, other).valid
        assert not verify(certificate(a, other, [], {}, **NOTHING), a, other).valid


def test_an_affine_network_and_its_units(tmp_path):
    line = save(tmp_path / "line.npz", {"W1": np.array([[2.0, -1.0]]), "b1": np.array([3.0])})
    units = file_of(tmp_path / "units.npz", ([[2, -1], [-2, 1]], [1, -1], [[1, -1]], [2]))
    assert verify(certificate(line, units, [], {}, **NOTHING), line, units).valid
    other = file_of(tmp_path / "other.npz", ([[2, -1], [-2, 1]], [1, -1], [[1, -1]], [2.5]))
    assert not verify(certificate(line, other, [], {}, **NOTHING), line, other).valid
    assert read_chain(line).layers[0].activation is None


def test_leaky_slopes_count_exactly(tmp_path):
    """A leaky unit is a ReLU pair with the slope of the file, not with a slope near it."""
    slope = 0.1
    a = file_of(tmp_path / "a.npz", ([[1]], [1], [[1]], [0]), f"leaky_relu({slope})")
    for below, good in ((slope, True), (float(np.nextafter(slope, 1)), False)):
        b = file_of(tmp_path / "b.npz", ([[1], [-1]], [1, -1], [[1, -below]], [0]))
        assert verify(certificate(a, b, [], {}, **NOTHING), a, b).valid is good


def witness(texts, gap):
    return [{"step": "exact-witness", "input": texts, "gap": gap}]


def test_exact_witnesses(tmp_path):
    tiny = 2.0**-1074
    a = file_of(tmp_path / "a.npz", ([[1]], [0], [[1]], [0]))
    b = file_of(tmp_path / "b.npz", ([[1], [1]], [0, 1], [[1, tiny]], [0]))
    kind = {"method": "witness", "claim": "different", "strength": None}
    unit = f"1/{2**1074}"
    assert verify(certificate(a, b, witness(["0"], unit), {}, **kind), a, b).valid
    assert verify(certificate(a, b, witness(["-2/3"], f"1/{3 * 2**1074}"), {}, **kind), a, b).valid
    forged = [
        (["0"], f"2/{2**1074}"),  # more than there is
        (["-2/3"], unit),
        (["-1"], unit),  # both units off
        (["0"], "0"),
        (["0"], "-1"),
        (["0", "0"], unit),
        ([], unit),
        ([0], unit),
        (["0"], 1e-300),
        (["1/0"], unit),
        (["nan"], unit),
        ("0", unit),
    ]
    for texts, gap in forged:
        assert not verify(certificate(a, b, witness(texts, gap), {}, **kind), a, b).valid, (texts, gap)
    box = {"domain": {"lo": [-1], "hi": [-0.5]}}
    assert verify(certificate(a, b, witness(["-1/2"], f"1/{2**1075}"), {}, **kind, **box), a, b).valid
    assert not verify(certificate(a, b, witness(["0"], unit), {}, **kind, **box), a, b).valid
    assert not verify(certificate(a, b, witness(["0"], unit) * 2, {}, **kind), a, b).valid
    smooth = file_of(tmp_path / "s.npz", ([[1]], [0], [[1]], [0]), "tanh")
    assert not verify(certificate(a, smooth, witness(["1"], "1/10"), {}, **kind), a, smooth).valid
