"""Units of graphs on a domain: decided by parts of a box, refuted by inputs, or left open and counted."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.equivalence.test_compression_graph import exported
from torch import Tensor, nn

import fiberscope as fs
import fiberscope_verify
from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.compression.graph_result import GraphCompression
from fiberscope.equivalence.vnnlib import input_region
from fiberscope.errors import InputError


class Skip(nn.Module):
    """relu(b(relu(a(x)), x)), read by c: no chain."""

    def __init__(self, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 6), nn.Linear(8, 5), nn.Linear(5, 2)
        self.rho = activation or nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = torch.cat([torch.relu(self.a(x)), x], dim=1)
        return self.c(self.rho(self.b(h)))


def skip(bias: float, slope: float = 0.0, activation: nn.Module | None = None) -> fs.Network:
    """Unit 2 of b is relu(x0) - relu(-x0) - x0 + slope x1 + bias, that is slope x1 + bias; all else bends."""
    module: Any = Skip(activation)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_((torch.randn(p.shape, generator=rng) * 64).round() / 64)
        module.a.bias.copy_(torch.tensor([0.0, 0.0, 0.25, -0.25, 0.125, -0.125]))
        module.a.weight[:2] = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
        module.b.weight[2] = torch.tensor([1.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, slope])
        module.b.bias[2] = bias
    return fs.load(module.eval(), (torch.zeros(2, 2),))


BOX = (np.array([-1.0, 0.0]), np.array([1.0, 1.0]))


def test_the_parts_of_a_box_decide_what_the_whole_box_does_not(tmp_path: Path):
    net = skip(-0.125)
    result = fs.compress(net, box=BOX, out=tmp_path / "b.pt2", certificate=tmp_path / "p.fsc")
    assert result.layers[1].dead == 1
    assert result.methods == {"dead": 1, "splitting": 1}
    assert result.proved and result.open_units == 0 and result.error_bound == 0.0
    x = np.random.default_rng(0).uniform(*BOX, (100, 2))
    np.testing.assert_allclose(result.network.run_flat(x), net.run_flat(x), rtol=0, atol=1e-12)
    assert fs.verify(tmp_path / "p.fsc", net, fs.load(tmp_path / "b.pt2")).valid


@pytest.mark.parametrize(
    ("bias", "slope", "still_open"),
    [
        (1e-9, -1.0, 0),  # positive on a strip of width 1e-9: seen
        (1e-9, 0.0, 0),  # positive everywhere: linear, and nothing to gain from it here
        (1e-17, -1.0, None),  # above 0 by less than rounding: at most seen, at the very corner, never proved
        (0.0, -1.0, 1),  # touches 0: true, and not shown with rounded bounds
    ],
)
def test_near_misses_stay(bias: float, slope: float, still_open: int | None):
    result = fs.compress(skip(bias, slope), box=BOX, budget=0.3)
    assert result.units_after == result.units_before
    assert [layer.open for layer in result.layers] == [0, result.open_units]
    assert result.open_units == still_open or still_open is None
    assert result.proved == (result.open_units == 0)
    assert result.to_json()["open_units"] == result.open_units


@pytest.mark.parametrize(("activation", "slope", "still_open"), [(nn.Tanh(), 0.0, 1), (nn.GELU(), 1e-6, 0)])
def test_of_other_activations_two_values_refute_a_constant(activation: nn.Module, slope: float, still_open: int):
    """tanh(-0.125) for every input is constant, which rounded ranges do not show: open, and kept."""
    result = fs.compress(skip(-0.125, slope, activation), box=BOX, budget=0.3)
    assert result.units_after == result.units_before
    assert result.open_units == still_open


def test_without_a_domain_nothing_is_open():
    result = fs.compress(skip(1e-17, -1.0))
    assert result.open_units == 0 and result.proved


def forgeries(arrays: dict[str, np.ndarray], step: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """What may be wrong about a tree, by name."""
    axis, at, left, right = (step[key] for key in ("axis", "at", "left", "right"))
    one = {name: arrays[name][:0] for name in (axis, at, left, right)}
    return {
        "no tree": one,
        "a leaf is missing": {right: arrays[right][:0]},
        "a child that is no node": {left: arrays[left] * 0 + 5},
        "a node that hangs nowhere": {name: np.repeat(arrays[name], 2) for name in (axis, at, left, right)},
        "a part that is not cut where it bends": {at: arrays[at] + 0.5},
        "outside the box": {at: arrays[at] + 2.0},
        "a cut that is not one": {at: arrays[at] * 0 - 1.0},
        "another input": {axis: 1 - arrays[axis]},
        "another unit": {step["units"]: arrays[step["units"]] - 1},
        "no unit": {step["units"]: arrays[step["units"]] + 50},
        "twice": {step["units"]: np.repeat(arrays[step["units"]], 2)},
    }


def test_forged_trees_are_refused():
    net = skip(-0.125)
    result = fs.compress(net, box=BOX)
    proof, models = certified(net, result)
    (step,) = (s for s in proof.document["steps"] if s["step"] == "split")
    for what, wrong in forgeries(proof.arrays, step).items():
        forged = Certificate(proof.document, {**proof.arrays, **wrong})
        assert not fiberscope_verify.verify(forged.to_bytes(), *models).valid, what
    for change in ({"map": 0}, {"map": 7}, {"along": 2}, {"along": 0}, {"more": 1}):
        document = copy.deepcopy(proof.document)
        next(s for s in document["steps"] if s["step"] == "split").update(change)
        assert not fiberscope_verify.verify(Certificate(document, proof.arrays).to_bytes(), *models).valid, change
    document = {**proof.document, "domain": "all"}
    assert not fiberscope_verify.verify(Certificate(document, proof.arrays).to_bytes(), *models).valid
    without = [s for s in proof.document["steps"] if s["step"] != "split"]
    arrays = {s[k]: proof.arrays[s[k]] for s in without for k in ("unit", "units") if k in s}
    forged = Certificate({**proof.document, "steps": without}, arrays)
    assert not fiberscope_verify.verify(forged.to_bytes(), *models).valid


SUM = (np.array([[1.0, 1.0]]), np.array([1.0]))


def beyond(corner: float) -> fs.Network:
    """Unit 2 of b is x0 + x1 - corner, positive in a corner of the box only."""
    module: Any = skip(0.0).module()
    with torch.no_grad():
        module.b.weight[2] = torch.tensor([1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
        module.b.bias[2] = -corner
    return fs.load(module.eval(), (torch.zeros(2, 2),))


def test_inputs_outside_a_polytope_refute_nothing():
    """The corner is beyond the polytope: a program with its rows shows the unit dead; at 0.75 it is not, and kept."""
    for corner, dead in ((1.625, 1), (0.75, 0)):
        net = beyond(corner)
        plain = fs.compress(net, box=BOX, budget=0.3)
        assert plain.open_units == 0 and plain.units_after == plain.units_before
        result = fs.compress(net, box=BOX, polytope=SUM, budget=0.3)
        assert result.open_units == 0
        assert [layer.dead for layer in result.layers] == [0, dead]
        if dead:
            assert result.methods == {"dead": 1, "programs": 1}
            proof, models = certified(net, result)
            assert [s["step"] for s in proof.document["steps"]].count("dual") == 1
            document = copy.deepcopy(proof.document)
            document["domain"]["h"] = [1.5]
            assert not fiberscope_verify.verify(Certificate(document, proof.arrays).to_bytes(), *models).valid
            del document["domain"]["h"], document["domain"]["G"]
            assert not fiberscope_verify.verify(Certificate(document, proof.arrays).to_bytes(), *models).valid


def certified(net: fs.Network, result: Any) -> tuple[Certificate, tuple[Any, Any]]:
    """The proof, once it was found valid, and what it is about."""
    assert isinstance(result, GraphCompression) and result.ledger is not None
    bound = result.error_bound if result.ledger.slack else None
    proof, models = result.ledger.certificate(net, result.network, bound), (net.neutral(), result.network.neutral())
    assert fiberscope_verify.verify(proof.to_bytes(), *models).valid
    return proof, models


class Stream(nn.Module):
    """x + c(relu(b(relu(a(x))))): a residual network on nine inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(9, 4), nn.Linear(4, 3), nn.Linear(3, 9)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.c(torch.relu(self.b(torch.relu(self.a(x)))))


def stream(bias: float) -> fs.Network:
    """Unit 1 of b is x0 / 4 - relu(x0) + bias, at most bias: of all lines below the ReLU only that of slope 1/4 shows
    it, while 0, 1/2 and 1 give 1/4, 1/4 and 3/4 more."""
    module: Any = Stream()
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_((torch.randn(p.shape, generator=rng) * 64).round() / 64)
        module.a.weight[:2], module.a.bias[:2] = 0.0, torch.tensor([0.0, 2.0])
        module.a.weight[:2, 0] = 1.0
        module.b.weight[1], module.b.bias[1] = torch.tensor([-1.0, 0.25, 0.0, 0.0]), bias - 0.5
    return fs.load(module.eval(), (torch.zeros(2, 9),))


def test_programs_prove_what_lines_do_not():
    for bias, dead in ((-0.0625, 1), (2.0**-20, 0)):
        result = fs.compress(stream(bias), box=(-1, 1), budget=2)
        assert [layer.dead for layer in result.layers] == [0, dead]
        assert result.methods.get("programs", 0) == dead
        assert result.open_units == 0
    net = stream(-0.0625)
    proof, models = certified(net, fs.compress(net, box=(-1, 1), budget=2))
    (step,) = (s for s in proof.document["steps"] if s["step"] == "dual")
    slopes = proof.arrays[step["multipliers"]]
    for wrong in (
        slopes * 0.0,
        np.ones_like(slopes),
        slopes * 0.0 + 0.5,
        slopes - 1.0,
        slopes + 1.0,
        slopes[:-1],
        np.tile(slopes, 2),
    ):
        forged = Certificate(proof.document, {**proof.arrays, step["multipliers"]: wrong})
        assert not fiberscope_verify.verify(forged.to_bytes(), *models).valid


def test_a_polytope_stands_in_the_certificate(tmp_path: Path):
    net = skip(-0.125)
    result = fs.compress(net, box=BOX, polytope=SUM, out=tmp_path / "b.pt2", certificate=tmp_path / "p.fsc")
    assert result.layers[1].dead == 1 and result.proved
    assert result.domain == {"lo": [-1.0, 0.0], "hi": [1.0, 1.0], "G": [[1.0, 1.0]], "h": [1.0]}
    assert fs.verify(tmp_path / "p.fsc", net, fs.load(tmp_path / "b.pt2")).valid
    assert "on a polytope" in repr(result)
    with pytest.raises(InputError, match="no input fits"):
        fs.compress(net, box=BOX, polytope=(SUM[0], np.array([-1.5])))


class Pixels(nn.Module):
    """A convolution over four pixels, and what it leaves of them."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 5, 2), nn.Conv2d(5, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.c2(torch.relu(self.c1(x)))


def pixels() -> Any:
    """Channel 3 is the sum of all pixels less 3."""
    module: Any = Pixels()
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_((torch.randn(p.shape, generator=rng) * 64).round() / 64)
        module.c1.weight[3], module.c1.bias[3] = 1.0, -3.0
    return module.eval()


def written(path: Path, lo: list[float], hi: list[float], rows: list[str], outputs: int) -> Path:
    """A VNN-LIB property."""
    names = [f"(declare-const X_{i} Real)" for i in range(len(lo))]
    names += [f"(declare-const Y_{i} Real)" for i in range(outputs)]
    box = [f"(assert (>= X_{i} {a}))\n(assert (<= X_{i} {b}))" for i, (a, b) in enumerate(zip(lo, hi, strict=True))]
    path.write_text("\n".join([*names, *box, *rows, "(assert (>= Y_0 0.0))"]))
    return path


@pytest.mark.parametrize("kind", ["pixels", "skip"])
def test_polytopes_of_property_files(kind: str, tmp_path: Path):
    """In the box a corner is beyond the threshold, in the polytope none is."""
    module, example, row, lo = {
        "pixels": (pixels(), torch.zeros(2, 1, 2, 2), "(<= (+ X_0 X_1 X_2 X_3) 2.5)", [0.0] * 4),
        "skip": (beyond(1.625).module(), torch.zeros(2, 2), "(<= (+ X_0 X_1) 1.0)", [-1.0, 0.0]),
    }[kind]
    hi, path = [1.0] * len(lo), exported(module, example, tmp_path / "a.onnx")
    for rows, dead in (([], 0), ([f"(assert {row})"], 1)):
        box, polytope = input_region(written(tmp_path / "p.vnnlib", lo, hi, rows, 2), len(lo))
        out: dict[str, Any] = {"out": tmp_path / f"b{dead}.onnx", "certificate": tmp_path / "p.fsc"}
        result = fs.compress(fs.load(path), box=box, polytope=polytope, budget=2, **out)
        assert result.layers[-1].dead == dead
        assert result.open_units == 0 and result.proved
    assert fs.verify(out["certificate"], path, out["out"]).valid
    assert len(result.to_json()["domain"]["h"]) == 1
    empty = written(tmp_path / "e.vnnlib", lo, hi, ["(assert (<= (+ X_0 X_1) -1.5))"], 2)
    with pytest.raises(InputError, match="no input fits"):
        input_region(empty, len(lo))


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 40))])
def test_nothing_that_was_proved_is_contradicted_by_inputs(seed: int):
    """Random networks on random small boxes: outputs agree at many inputs, and the counts add up."""
    rng = np.random.default_rng(seed)
    module: Any = Skip()
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.from_numpy(rng.normal(size=tuple(p.shape))))
    net = fs.load(module.eval(), (torch.zeros(1, 2),))  # one sample is a batch too
    lo = rng.uniform(-1, 0.5, 2)
    result = fs.compress(net, box=(lo, lo + 0.5), budget=2)
    assert result.units_after < result.units_before or seed
    assert result.open_units == 0
    x = rng.uniform(lo, lo + 0.5, (5000, 2))
    assert result.error_bound is not None and result.error_bound < 1e-4 * result.scale
    atol = 1e-12 + result.error_bound  # not 0 where linear units were carried by others up to rounding
    np.testing.assert_allclose(result.network.run_flat(x), net.run_flat(x), rtol=0, atol=atol)
    certified(net, result)
