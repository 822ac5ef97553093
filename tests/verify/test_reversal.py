"""Certificates that name permutation, scales, reversed units and assignment: true ones pass, altered ones fail."""

from __future__ import annotations

import numpy as np
import pytest
from tests.verify.forge import certificate
from tests.verify.test_shallow import PAIRS, file_of

from fiberscope_verify import verify

# truth, member, assignment (-1: none, 2 + j: unit j of the member), scales, reversed
CASES = {
    "reversed and mixed": (*PAIRS[0], [0, 0, 1], [1.0, 1.0, 1.0], [1, 2]),
    "a boundary that is not seen": (*PAIRS[1], [0, 2, 2], [1.0, 1.0, 1.0], [0, 2]),
    "split, dead, constant": (
        ([[1, 2], [3, -1]], [1, 0], [[4, 6]], [1]),
        ([[2, 4], [1, 2], [0, 0], [5, 5], [9, -3]], [2, 1, 3, 1, 0], [[1, 2, 7, 0, 2]], [-20]),
        [0, 0, -1, -1, 1],
        [2.0, 1.0, 1.0, 1.0, 3.0],
        [],
    ),
}


def proof(a, b, unit, scale, turned, **changes):
    arrays = {"unit": np.array(unit, dtype=np.int64), "reversed": np.array(turned, dtype=np.int64)}
    step = {"step": "reversal", "unit": "unit", "scale": "scale", "reversed": "reversed"}
    if isinstance(scale, list) and scale and isinstance(scale[0], str):
        step["scale"] = scale  # pyright: ignore[reportArgumentType]
    else:
        arrays["scale"] = np.array(scale, dtype=np.float64)  # pyright: ignore[reportArgumentType]
    return certificate(a, b, [step], arrays, **({"method": "reversal"} | changes))


def files(tmp_path, first, second, activation="relu"):
    return file_of(tmp_path / "a.npz", first, activation), file_of(tmp_path / "b.npz", second, activation)


@pytest.mark.parametrize("name", CASES)
def test_true_relations(tmp_path, name):
    first, second, unit, scale, turned = CASES[name]
    a, b = files(tmp_path, first, second)
    report = verify(proof(a, b, unit, scale, turned), a, b)
    assert report.valid, report.reason
    texts = [f"{int(2 * s)}/2" for s in scale]
    assert verify(proof(a, b, unit, texts, turned), a, b).valid
    n = len(first[0][0])
    assert verify(proof(a, b, unit, scale, turned, domain={"lo": [0] * n, "hi": [1] * n}), a, b).valid


@pytest.mark.parametrize("name", CASES)
def test_altered_relations(tmp_path, name):
    first, second, unit, scale, turned = CASES[name]
    a, b = files(tmp_path, first, second)
    every = len(first[1]) + len(unit)
    for j in range(len(unit)):
        for other in {-2, -1, every, *range(every)} - {unit[j]}:
            wrong = [*unit[:j], other, *unit[j + 1 :]]
            report = verify(proof(a, b, wrong, scale, turned), a, b)
            same_row = 0 <= other < every and name == "a boundary that is not seen" and report.valid
            if same_row:  # the pair may be represented by either of its units
                assert {wrong[1], wrong[2]} <= {2, 3}
                continue
            assert not report.valid or second[2][0][j] == 0, (wrong, report)
        for factor in (0.0, -1.0, 2.0, 0.5):
            wrong = [*scale[:j], scale[j] * factor, *scale[j + 1 :]]
            assert unit[j] == -1 or not verify(proof(a, b, unit, wrong, turned), a, b).valid
        flipped = sorted(set(turned) ^ {j})
        assert not verify(proof(a, b, unit, scale, flipped), a, b).valid or second[2][0][j] == 0
    for wrong in (unit[:-1], [*unit, 0]):
        assert not verify(proof(a, b, wrong, scale, turned), a, b).valid
        assert not verify(proof(a, b, unit, scale[: len(wrong) - 2], turned), a, b).valid
    assert not verify(proof(a, b, unit, scale, [*turned, len(unit)]), a, b).valid
    assert not verify(proof(a, b, unit, scale, [*turned, -1]), a, b).valid
    for change in (
        {"strength": "rounding", "max_ulp": 2},
        {"claim": "different"},
        {"method": "shallow"},
    ):
        assert not verify(proof(a, b, unit, scale, turned, **change), a, b).valid


@pytest.mark.parametrize("name", CASES)
def test_altered_weights(tmp_path, name):
    first, second, unit, scale, turned = CASES[name]
    for side in (0, 1):
        for place in range(4):
            nets = [[np.array(v, dtype=np.float64) for v in net] for net in (first, second)]
            flat = nets[side][place].reshape(-1)
            for i in range(len(flat)):
                j = i // len(first[0][0]) if place == 0 else i
                if side and place < 2 and unit[j] == -1 and second[2][0][j] == 0:
                    continue  # a unit that is not read may be anything
                kept, flat[i] = flat[i], np.nextafter(flat[i], np.inf)
                a, b = files(tmp_path, *nets)  # pyright: ignore[reportArgumentType]
                assert not verify(proof(a, b, unit, scale, turned), a, b).valid, (side, place, i)
                flat[i] = kept


@pytest.mark.parametrize(
    ("activation", "good"),
    [("gelu", True), ("gelu_tanh", True), ("silu", True), ("hardswish", True), ("softplus", False), ("tanh", False),
     ("elu", False), ("sigmoid", False), ("mish", False), ("relu6", False), ("leaky_relu(0.5)", False)],
)  # fmt: skip
def test_reflection_laws(tmp_path, activation, good):
    """s(x) - s(x - 1) = s(-x) - s(1 - x) + L holds with L = 1; torch's softplus is cut off at 20, so it has no law."""
    a, b = files(tmp_path, ([[1], [1]], [0, -1], [[1, -1]], [0]), ([[-1], [-1]], [1, 0], [[-1, 1]], [1]), activation)
    assert verify(proof(a, b, [1, 0], [1.0, 1.0], [0, 1]), a, b).valid is good
    if activation == "gelu":
        a, b = files(
            tmp_path, ([[1], [1]], [0, -1], [[1, -1]], [0]), ([[-2], [-2]], [2, 0], [[-0.5, 0.5]], [1]), "gelu"
        )
        assert not verify(proof(a, b, [1, 0], [2.0, 2.0], [0, 1]), a, b).valid  # no scale passes
    if activation.startswith("leaky"):
        a, b = files(
            tmp_path, ([[1], [1]], [0, -1], [[1, -1]], [0]), ([[-1], [-1]], [1, 0], [[-1, 1]], [1.5]), activation
        )
        assert verify(proof(a, b, [1, 0], [1.0, 1.0], [0, 1]), a, b).valid


def test_signs_that_the_activation_lets_pass(tmp_path):
    """tanh is odd: a scale -1 is a symmetry by itself, without any unit reversed."""
    a, b = files(tmp_path, ([[1], [2]], [0, -1], [[1, -1]], [0]), ([[-2], [1]], [1, 0], [[1, 1]], [0]), "tanh")
    assert verify(proof(a, b, [1, 0], [-1.0, 1.0], []), a, b).valid
    assert not verify(proof(a, b, [1, 0], [1.0, 1.0], [0]), a, b).valid
