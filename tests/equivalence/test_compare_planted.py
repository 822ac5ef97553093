"""compare() against planted truth: the three answers, their certificates, and no wrong proof."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fiberscope.equivalence.compare import compare, verify
from fiberscope.network import Network, load

from .planted import ACTIVATIONS, Layers, member, nudge, random_layers, save, shift

WIDTHS = [3, 7, 5, 2]


@pytest.fixture
def network(tmp_path: Path):
    count = iter(range(1000))

    def make(layers: Layers, activation: str = "relu", dtype: type = np.float32) -> Network:
        return load(save(tmp_path / f"{next(count)}.npz", layers, activation, dtype))

    return make


def proved(verdict, a, b) -> bool:
    report = verify(verdict.certificate, a, b)
    assert report.valid, report.reason
    return True


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_exact_rounding_and_different(activation: str, network):
    rng = np.random.default_rng(11)
    layers = random_layers(rng, WIDTHS)
    a = network(layers, activation)
    copy = network(member(rng, layers, activation, "pow2"), activation)
    verdict = compare(a, copy)
    assert (verdict.answer, verdict.strength) == ("equal", "exact"), repr(verdict)
    assert verdict.method == "chain" and verdict.backward_error_ulp == 0
    proved(verdict, a, copy)
    rounded = network(member(rng, layers, activation, "real"), activation)
    verdict = compare(a, rounded)
    assert verdict.answer == "equal" and verdict.strength in ("exact", "rounding"), repr(verdict)
    assert verdict.backward_error_ulp is not None and verdict.backward_error_ulp < 4
    proved(verdict, a, rounded)
    size = 2.0 if activation in ("sign", "heaviside") else 1e-3  # steps do not feel small changes
    changed = network(shift(member(rng, layers, activation, "pow2"), 1, (0, 0), size), activation)
    verdict = compare(a, changed)
    assert verdict.answer == "different", repr(verdict)
    assert verdict.witness is not None and verdict.witness.gap > 0
    gap = np.abs(a.run_flat(np.array([verdict.witness.input])) - changed.run_flat(np.array([verdict.witness.input])))
    assert gap.max() == pytest.approx(verdict.witness.gap, rel=1e-3, abs=1e-9)
    proved(verdict, a, changed)


@pytest.mark.parametrize("ulps", [1, 8, 9, 40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ulp_limit_is_sharp(ulps: int, dtype: type, network):
    rng = np.random.default_rng(ulps)
    layers = random_layers(rng, WIDTHS, dtype)
    a = network(layers, dtype=dtype)
    b = network(nudge(member(rng, layers, "relu", "pow2", dtype), 1, (1, 2), ulps, dtype), dtype=dtype)
    verdict = compare(a, b)
    if ulps <= 8:
        assert (verdict.answer, verdict.strength, verdict.backward_error_ulp) == ("equal", "rounding", ulps)
    else:
        assert verdict.answer == "different", repr(verdict)
    proved(verdict, a, b)
    strict = compare(a, b, exact=True)
    assert strict.strength is None
    if dtype is np.float32:  # in float64 the gap may lie below the rounding of the outputs themselves
        assert strict.answer == "different", repr(strict)
    if strict.answer == "different":
        proved(strict, a, b)


def test_confusion_matrix(network):
    """Random pairs of known truth: never a wrong proof, and nothing left open on these sizes."""
    table: dict[tuple[str, str], int] = {}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        activation = ("relu", "tanh", "leaky_relu(0.1)", "gelu")[seed % 4]
        widths = [int(n) for n in rng.integers(1, 8, rng.integers(2, 5))]
        layers = random_layers(rng, [3, *widths])
        a = network(layers, activation)
        pairs = [("equal", member(rng, layers, activation, scales)) for scales in ("one", "pow2", "real")]
        l = int(rng.integers(len(layers)))
        place = (0, int(rng.integers(layers[l][0].shape[1])))
        for near in (1e-9, 1e-6, 1e-3):
            other = shift(member(rng, layers, activation, "pow2"), l, place, near, np.float64)
            pairs.append(("different", other))
        pairs.append(("different", random_layers(rng, [3, *widths])))
        for truth, layers_b in pairs:
            b = network(layers_b, activation, np.float64 if truth == "different" else np.float32)
            verdict = compare(a, b, budget_seconds=3)
            table[truth, verdict.answer] = table.get((truth, verdict.answer), 0) + 1
            assert verdict.answer in (truth, "undecided"), f"seed {seed}: {truth}, {verdict!r}"
            if verdict.answer != "undecided":
                proved(verdict, a, b)
    assert table.get(("equal", "equal")) == 36, table
    assert table.get(("different", "different"), 0) >= 44, table


def test_a_unit_that_wakes_on_a_small_region_only(network):
    """The difference sits behind a unit that is active on about 1e-5 of the box: random points do not see it."""
    rng = np.random.default_rng(3)
    layers = random_layers(rng, [5, 12, 3])
    w, b = layers[0]
    w[4], b[4] = np.sign(w[4]), -4.75
    other = [(v.copy(), c.copy()) for v, c in layers]
    other[1][0][1, 4] += 0.5
    a, c = network(layers), network(other)
    box = (-1.0, 1.0)
    x = rng.uniform(-1, 1, (2000, 5))
    assert np.abs(a.run_flat(x) - c.run_flat(x)).max() == 0
    verdict = compare(a, c, box=box)
    assert verdict.answer == "different", repr(verdict)
    assert verdict.witness is not None
    assert all(-1 <= v <= 1 for v in verdict.witness.input)
    proved(verdict, a, c)
    asleep = compare(a, c, box=(-0.5, 0.5), budget_seconds=2)
    assert (asleep.answer, asleep.strength) == ("equal", "exact"), repr(asleep)
    proved(asleep, a, c)
    bounded = compare(a, c, box=(-1.0, 1.0), tol=2.5, budget_seconds=20)
    assert (bounded.answer, bounded.strength) == ("equal", "bound"), repr(bounded)
    assert bounded.error_bound is not None and bounded.error_bound <= 2.5
    proved(bounded, a, c)


def test_tolerance_separates_the_answers(network):
    rng = np.random.default_rng(4)
    layers = random_layers(rng, [2, 8, 6, 1])
    b = shift(layers, 0, (0, 0), 3e-2)
    x, y = network(layers), network(b)
    strict = compare(x, y, box=(-1, 1))
    assert strict.answer == "different"
    assert strict.witness is not None
    gap = strict.witness.gap
    assert compare(x, y, box=(-1, 1), tol=gap / 2).answer == "different"
    loose = compare(x, y, box=(-1, 1), tol=2.0 * gap + 1e-3, budget_seconds=30)
    assert (loose.answer, loose.strength, loose.method) == ("equal", "bound", "bound"), repr(loose)
    assert loose.error_bound is not None
    assert gap <= loose.error_bound <= 2.0 * gap + 1e-3
    proved(loose, x, y)
    assert compare(x, y, box=(-1, 1), tol=2.0 * gap + 1e-3, exact=True).answer == "different"
    open_ended = compare(x, y, tol=1e9, budget_seconds=1)
    assert open_ended.answer == "undecided"
    tight = compare(x, y, box=(-1, 1), tol=gap * 1.02, budget_seconds=0.5)
    assert tight.answer in ("undecided", "different", "equal")
    if tight.answer == "undecided":
        assert tight.witness is not None and tight.witness.gap <= gap * 1.02


def test_other_activations_on_one_side_are_different(network):
    layers = random_layers(np.random.default_rng(5), WIDTHS)
    a, b = network(layers, "relu"), network(layers, "tanh")
    verdict = compare(a, b)
    assert verdict.answer == "different"
    proved(verdict, a, b)


def test_redundant_units_on_one_side(network):
    layers = [(np.round(8 * w), np.round(4 * b)) for w, b in random_layers(np.random.default_rng(6), WIDTHS)]
    (w, b), (v, c), last = layers
    w2, b2 = np.vstack([w, 2 * w[0], 0 * w[1], w[2]]), np.append(b, [2 * b[0], 3.0, 1.0])
    v2 = np.column_stack([v, 0.25 * v[:, 0], v[:, 1], 0 * v[:, 1]])
    v2[:, 0] *= 0.5
    a, big = network(layers), network([(w2, b2), (v2, c - 3.0 * v[:, 1]), last])
    for one, two in ((a, big), (big, a)):
        verdict = compare(one, two)
        assert (verdict.answer, verdict.strength) == ("equal", "exact"), repr(verdict)
        proved(verdict, one, two)


def test_same_bytes_and_verdict_shape(network, tmp_path: Path):
    layers = random_layers(np.random.default_rng(0), WIDTHS)
    a = network(layers)
    verdict = compare(a, a, certificate=tmp_path / "c.zip")
    assert verdict.method == "same-bytes" and verdict.certificate == tmp_path / "c.zip"
    assert len(repr(verdict).splitlines()) == 3
    made = verdict.to_json()
    keys = {"verdict", "strength", "method", "domain", "backward_error_ulp", "error_bound", "witness", "tried"}
    assert keys | {"certificate", "seed"} == set(made)
    assert verify(tmp_path / "c.zip", a, a).valid
    assert verify((tmp_path / "c.zip").read_bytes(), a, a).valid


def test_a_certificate_belongs_to_its_pair(network):
    rng = np.random.default_rng(1)
    layers = random_layers(rng, WIDTHS)
    a, b = network(layers), network(member(rng, layers, "relu", "pow2"))
    other = network(nudge(layers, 0, (0, 0), 1))
    verdict = compare(a, b)
    assert verify(verdict.certificate, a, b).valid
    assert not verify(verdict.certificate, a, other).valid
    assert not verify(verdict.certificate, b, a).valid


def test_answers_do_not_depend_on_the_run(network):
    rng = np.random.default_rng(2)
    layers = random_layers(rng, WIDTHS)
    a, b = network(layers), network(shift(layers, 0, (0, 0), 0.1))
    first, second = compare(a, b, seed=3), compare(a, b, seed=3)
    assert first.to_json() == second.to_json()
