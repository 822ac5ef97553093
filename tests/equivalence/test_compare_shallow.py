"""One hidden layer of ReLU-like units: compare is never undecided, and every answer verifies."""

from __future__ import annotations

import itertools
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.verify.test_shallow import PAIRS, Net, file_of, random_net, rewritten, same, value

import fiberscope as fs
from fiberscope.equivalence.reversal import reversal_certificate

PLACES = ("W1", "b1", "W2", "b2")


def decided(a: Path, b: Path, **options):
    verdict = fs.compare(a, b, **options)
    assert verdict.answer in ("equal", "different")
    report = fs.verify(verdict.certificate, a, b)
    assert report.valid, report.reason
    return verdict


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("exact", [True, False])
def test_published_pairs(tmp_path, index, exact):
    a, b = (file_of(tmp_path / f"{i}.npz", net) for i, net in enumerate(PAIRS[index]))
    for box in (None, (-1, 1), (-8, 8)):
        verdict = decided(a, b, exact=exact, box=box)
        assert (verdict.answer, verdict.strength, verdict.method) == ("equal", "exact", "shallow")
    c = file_of(tmp_path / "c.npz", (*PAIRS[index][1][:3], [PAIRS[index][1][3][0] + 2.0**-50]))
    for box in (None, (-1, 1)):
        verdict = decided(a, c, exact=exact, box=box)
        assert verdict.answer == "different"
        assert 2.0**-51 < verdict.witness.gap <= 2.0**-50  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_grid_networks_agree_with_the_arrangement(tmp_path, n, k):
    rng = np.random.default_rng(100 + 10 * n + k)
    answers = []
    for trial in range(10):
        a = random_net(rng, int(rng.integers(1, 4)), n, k)
        b = rewritten(rng, a, 0) if trial % 2 else random_net(rng, int(rng.integers(1, 4)), n, k)  # pyright: ignore[reportArgumentType]
        paths = [file_of(tmp_path / f"{trial}{name}.npz", net) for name, net in (("a", a), ("b", b))]
        for box in (None, (-1.0, 1.0)):
            truth = "equal" if same(a, b, box) else "different"
            assert decided(*paths, box=box, exact=True).answer == truth, (a, b, box)
            answers.append(truth)
    assert len(set(answers)) == 2


def crossing_net(rng: np.random.Generator, d: int, n: int, k: int) -> dict[str, np.ndarray]:
    """A network whose boundaries all cross the box [-1, 1]^n and differ from each other."""
    W = rng.standard_normal((d, n))
    b = -np.einsum("ij,ij->i", W, rng.uniform(-0.8, 0.8, (d, n)))
    return {"W1": W, "b1": b, "W2": rng.standard_normal((k, d)), "b2": rng.standard_normal(k)}


def member(rng: np.random.Generator, net: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same function: units permuted and scaled by powers of two."""
    order = rng.permutation(len(net["b1"]))
    scale = 2.0 ** rng.integers(-4, 5, len(order))
    return {
        "W1": net["W1"][order] * scale[:, None],
        "b1": net["b1"][order] * scale,
        "W2": net["W2"][:, order] / scale,
        "b2": net["b2"],
    }


def one_ulp(rng: np.random.Generator, net: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One weight moved to a neighbouring float: the function changes on the box, since every boundary crosses it."""
    out = {name: array.copy() for name, array in net.items()}
    name = PLACES[rng.choice(4, p=[0.4, 0.2, 0.3, 0.1])]
    flat = out[name].reshape(-1)
    i = rng.integers(len(flat))
    flat[i] = np.nextafter(flat[i], rng.choice([-np.inf, np.inf]))
    return out


def near_misses(tmp_path: Path, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = None
    for trial in range(count):
        if first is None or trial % 50 == 0:
            n, k, d = int(rng.integers(1, 6)), int(rng.integers(1, 4)), int(rng.integers(2, 12))
            arrays = crossing_net(rng, d, n, k)
            np.savez(tmp_path / "a.npz", **arrays)  # pyright: ignore[reportArgumentType]
            first = fs.load(tmp_path / "a.npz")
            np.savez(tmp_path / "same.npz", **member(rng, arrays))  # pyright: ignore[reportArgumentType]
            assert fs.compare(first, tmp_path / "same.npz", exact=True).answer == "equal"
        np.savez(tmp_path / "b.npz", **one_ulp(rng, member(rng, arrays)))  # pyright: ignore[reportArgumentType]
        second = fs.load(tmp_path / "b.npz")
        verdict = fs.compare(first, second, exact=True, box=(-1, 1) if trial % 2 else None)
        assert verdict.answer == "different", trial
        assert verdict.witness.gap > 0  # pyright: ignore[reportOptionalMemberAccess]
        if trial % 10 == 0:
            assert fs.verify(verdict.certificate, first, second).valid


def test_near_misses_are_told_apart(tmp_path):
    near_misses(tmp_path, 50, 0)


@pytest.mark.slow
def test_ten_thousand_near_misses_are_told_apart(tmp_path):
    near_misses(tmp_path, 10_000, 1)


def test_without_exact_a_near_miss_may_be_equal_up_to_rounding(tmp_path):
    rng = np.random.default_rng(3)
    net = crossing_net(rng, 5, 3, 1)
    np.savez(tmp_path / "a.npz", **net)  # pyright: ignore[reportArgumentType]
    np.savez(tmp_path / "b.npz", **one_ulp(rng, net))  # pyright: ignore[reportArgumentType]
    verdict = decided(tmp_path / "a.npz", tmp_path / "b.npz")
    assert (verdict.answer, verdict.strength) == ("equal", "rounding")
    assert 0 < verdict.backward_error_ulp <= 2  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]


@pytest.mark.parametrize("scale", [2.0**-1070, 2.0**-400, 1.0, 2.0**400])
def test_gaps_far_below_the_rounding_of_the_outputs(tmp_path, scale):
    """One unit differs by one unit in the last place, next to another unit of any size."""
    a: Net = ([[1, 2], [3, -1]], [0.5, 1], [[1.0, scale]], [7.0])
    b: Net = ([[1, 2], [3, -1]], [0.5, 1], [[1.0, float(np.nextafter(scale, np.inf))]], [7.0])
    paths = [file_of(tmp_path / f"{name}.npz", net) for name, net in (("a", a), ("b", b))]
    for box in (None, (-1, 1)):
        assert decided(*paths, exact=True, box=box).answer == "different"


def test_a_difference_that_no_float_shows(tmp_path):
    """relu(x) - relu(2 x - t) is 0 at 0 and at t, and these are neighbouring floats: only t / 2 shows it."""
    t = 2.0**-1074
    a = file_of(tmp_path / "a.npz", ([[1]], [0], [[0]], [0]))
    b = file_of(tmp_path / "b.npz", ([[1], [2]], [0, -t], [[1, -1]], [0]))
    verdict = decided(a, b, box=(0.0, t))
    assert verdict.answer == "different"
    assert verdict.witness.exact is not None  # pyright: ignore[reportOptionalMemberAccess]
    assert 0 < Fraction(verdict.witness.exact[0]) < Fraction(t)  # pyright: ignore[reportOptionalMemberAccess]
    assert verdict.to_json()["witness"]["input_exact"] == list(verdict.witness.exact)  # pyright: ignore[reportOptionalMemberAccess]
    assert 0 < Fraction(verdict.to_json()["witness"]["gap_exact"]) <= Fraction(t) / 2
    assert decided(a, b, box=(-1.0, 0.0)).answer == "equal"


def test_on_a_box_the_outside_does_not_count(tmp_path):
    rng = np.random.default_rng(4)
    net = crossing_net(rng, 6, 2, 2)
    far = {name: array.copy() for name, array in net.items()}
    far["W1"] = np.concatenate([net["W1"], rng.standard_normal((3, 2))])
    far["b1"] = np.concatenate([net["b1"], np.full(3, -40.0)])
    far["W2"] = np.concatenate([net["W2"], rng.standard_normal((2, 3))], axis=1)
    np.savez(tmp_path / "a.npz", **net)  # pyright: ignore[reportArgumentType]
    np.savez(tmp_path / "b.npz", **far)  # pyright: ignore[reportArgumentType]
    assert decided(tmp_path / "a.npz", tmp_path / "b.npz", box=(-1, 1)).answer == "equal"
    assert decided(tmp_path / "a.npz", tmp_path / "b.npz").answer == "different"
    assert decided(tmp_path / "a.npz", tmp_path / "b.npz", box=(-99, 99)).answer == "different"


def test_relu_leaky_relu_and_affine_networks_meet(tmp_path):
    slope = 0.25
    leaky = file_of(tmp_path / "leaky.npz", ([[1]], [1], [[1]], [0]), f"leaky_relu({slope})")
    pair = file_of(tmp_path / "pair.npz", ([[1], [-1]], [1, -1], [[1, -slope]], [0]))
    assert decided(leaky, pair, exact=True).answer == "equal"
    both = file_of(tmp_path / "both.npz", ([[2, 1], [-2, -1]], [1, -1], [[1, -1]], [2]))
    line = tmp_path / "line.npz"
    np.savez(line, W1=np.array([[2.0, 1.0]]), b1=np.array([3.0]))
    assert decided(both, line, exact=True).answer == "equal"
    active = file_of(tmp_path / "active.npz", ([[2, 1]], [3], [[1]], [0]))
    assert decided(active, line, box=(-1, 1)).answer == "equal"
    assert decided(active, line).answer == "different"


class Modules:
    """The first published pair as modules in memory."""

    class Plain(torch.nn.Module):
        def __init__(self, net: Net) -> None:
            super().__init__()
            W, _, q, _ = net
            self.a, self.b = torch.nn.Linear(len(W[0]), len(W)), torch.nn.Linear(len(W), len(q))
            for parameter, values in zip(self.parameters(), net, strict=True):
                parameter.data = torch.tensor(values, dtype=torch.float32)

        def forward(self, x):
            return self.b(torch.relu(self.a(x)))

    class Shifted(Plain):
        def forward(self, x):
            return self.b(torch.relu(self.a(x) + 0.5) * 2 - 1)


def test_networks_in_memory_and_activations_with_a_shift():
    first, second = PAIRS[0]
    W, b, q, c = second
    shifted = W, [t - 0.5 for t in b], [[v / 2 for v in q[0]]], [c[0] + sum(q[0]) / 2]
    a = fs.load(Modules.Plain(first).eval(), (torch.zeros(2, 1),))
    for module, expected in ((Modules.Plain(second), "equal"), (Modules.Shifted(shifted), "equal"),
                             (Modules.Shifted(second), "different")):  # fmt: skip
        other = fs.load(module.eval(), (torch.zeros(2, 1),))
        verdict = fs.compare(a, other, exact=True)
        assert verdict.answer == expected
        assert fs.verify(verdict.certificate, a, other).valid


def test_a_tolerance_on_a_box_is_another_question(tmp_path):
    a, b = (
        file_of(tmp_path / "a.npz", ([[1]], [0], [[1]], [0])),
        file_of(tmp_path / "b.npz", ([[1]], [0], [[1.001]], [0])),
    )
    assert decided(a, b, box=(-1, 1), tol=0.01).strength == "bound"
    assert decided(a, b, box=(-1, 1), tol=1e-5).answer == "different"
    assert decided(a, b, box=(-1, 1), tol=0.01, exact=True).answer == "different"
    assert decided(a, b, box=(-1, 1)).answer == "different"


# -- relations between two members as data ---------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["gelu", "silu", "gelu_tanh", "hardswish"])
def test_units_of_smooth_activations_turned_round(tmp_path, activation):
    """s(x) - s(x - 1) = s(-x) - s(1 - x) + 1 wherever s(z) - s(-z) = z."""
    a = file_of(tmp_path / "a.npz", ([[1], [1]], [0, -1], [[1, -1]], [0]), activation)
    b = file_of(tmp_path / "b.npz", ([[-1], [-1]], [1, 0], [[-1, 1]], [1]), activation)
    verdict = decided(a, b, exact=True)
    assert (verdict.answer, verdict.strength, verdict.method) == ("equal", "exact", "reversal")
    for wrong in (([[-1], [-1]], [1, 0], [[-1, 1]], [1 + 2.0**-20]), ([[-1], [1]], [1, 0], [[-1, 1]], [1])):
        c = file_of(tmp_path / "c.npz", wrong, activation)
        assert fs.compare(a, c, exact=True, budget_seconds=1).answer == "different"


@pytest.mark.parametrize("index", [0, 1])
def test_published_pairs_as_relations(tmp_path, index):
    """The second pair is a relation (a split unit would not do for the first: its truth has fewer boundaries)."""
    a, b = (fs.load(file_of(tmp_path / f"{i}.npz", net)) for i, net in enumerate(PAIRS[index]))
    proof = reversal_certificate(a, b)
    assert proof is not None
    assert fs.verify(proof, a, b).valid


def test_random_relations(tmp_path):
    """Permuted, scaled by any rationals that floats hold, all reversed with weights that sum to zero."""
    rng = np.random.default_rng(8)
    for trial in range(10):
        n, d = int(rng.integers(1, 4)), 4
        W, q = rng.integers(-4, 5, (d, n)) * 2.0, rng.integers(1, 4, (2, d)) * 6.0
        W[-1] = -(q[0, :-1] @ W[:-1])
        q[1] = q[0]
        q[:, -1] = 1
        if not W.any(axis=1).all():
            continue
        b = rng.integers(-9, 9, d) * 3.0 + np.arange(d) / 8
        order, scale = rng.permutation(d), rng.choice([0.5, 1.0, 2.0, 3.0], d)
        c = rng.integers(-3, 4, 2).astype(float)
        first = W.tolist(), b.tolist(), q.tolist(), c.tolist()
        turned = -(W * scale[:, None])[order], -(b * scale)[order], (q / scale)[:, order], c + q @ b
        if not all(np.array_equal(np.round(v * 16), v * 16) for v in turned):
            turned = -W[order], -b[order], q[:, order], c + q @ b
        paths = [file_of(tmp_path / f"{trial}{i}.npz", net) for i, net in enumerate((first, turned))]  # pyright: ignore[reportArgumentType]
        nets = [fs.load(p) for p in paths]
        assert value(first, (1,) * n, 0) == value(tuple(v.tolist() for v in turned), (1,) * n, 0)  # pyright: ignore[reportArgumentType]
        proof = reversal_certificate(*nets)
        if len({tuple(r) for r in np.column_stack([W, b]).tolist()}) == d and proof is not None:
            assert fs.verify(proof, *nets).valid
        assert decided(*paths, exact=True).answer == "equal"


def test_no_relation_where_the_function_changes(tmp_path):
    a = file_of(tmp_path / "a.npz", PAIRS[0][0])
    for name, by in itertools.product(range(4), (0.5, 2.0**-40)):
        wrong = [np.array(v, dtype=float) for v in PAIRS[0][1]]
        wrong[name].reshape(-1)[0] += by
        b = file_of(tmp_path / "b.npz", tuple(wrong))  # pyright: ignore[reportArgumentType]
        assert reversal_certificate(fs.load(a), fs.load(b)) is None


# -- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["permuted", "reversed", "one ulp"])
def test_a_hundred_thousand_units_of_a_hundred_inputs(tmp_path, kind):
    rng = np.random.default_rng(0)
    d, n = 100_000, 100
    net = {
        "W1": rng.standard_normal((d, n)), "b1": rng.standard_normal(d),
        "W2": rng.standard_normal((1, d)), "b2": np.zeros(1),
    }  # fmt: skip
    if kind == "reversed":  # units in pairs (w, b), (w, b + 1) with weights q, -q: both turned round together
        net["W1"][1::2], net["W2"][:, 1::2] = net["W1"][::2], -net["W2"][:, ::2]
        net["b1"] = np.round(net["b1"] * 64) / 64
        net["b1"][1::2] = net["b1"][::2] + 1
        net["W2"] = np.round(net["W2"] * 64) / 64
    other = member(rng, net)
    if kind == "reversed":
        pairs = rng.random(d // 2) < 0.5
        turned = np.repeat(pairs, 2)
        sign = np.where(turned, -1.0, 1.0)
        shift = (net["W2"] @ np.where(turned, net["b1"], 0.0)[:, None])[:, 0]
        other = member(rng, {**net, "W1": net["W1"] * sign[:, None], "b1": net["b1"] * sign, "b2": shift})
    if kind == "one ulp":
        other = one_ulp(rng, other)
    np.savez(tmp_path / "a.npz", **net)
    np.savez(tmp_path / "b.npz", **other)  # pyright: ignore[reportArgumentType]
    start = time.process_time()
    verdict = fs.compare(tmp_path / "a.npz", tmp_path / "b.npz", exact=True)
    seconds = time.process_time() - start
    assert verdict.answer == ("different" if kind == "one ulp" else "equal")
    assert verdict.strength == (None if kind == "one ulp" else "exact")
    assert fs.verify(verdict.certificate, tmp_path / "a.npz", tmp_path / "b.npz").valid
    assert seconds < 30, f"{seconds:.1f} s"
