"""compare on networks of any wiring: decided by names, with certificates that the checker accepts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.affine.planting import planted, random_dag

import fiberscope as fs
from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.to_network import save

MODELS = Path(fs.__file__).parent / "models"


def decided(a: Path, b: Path, tmp_path: Path, **options):
    """The verdict, whose certificate the checker has accepted about the two files."""
    proof = tmp_path / "proof.fsc"
    verdict = fs.compare(a, b, certificate=proof, **options)
    assert verdict.answer != "undecided"
    report = fs.verify(proof, a, b)
    assert report.valid, report
    return verdict


@pytest.mark.parametrize("seed", [0, 4, 5])
def test_planted_graphs_are_equal_and_near_misses_are_not(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    name = ("tanh", "sigmoid", "erf")[seed % 3]
    net = replace(random_dag(rng, name=name, eighths=seed < 3), precision=("float64", "float32")[seed % 2])
    other = planted(net, rng, seed < 3)
    a, b = save(net, tmp_path / "a.onnx"), save(replace(other, precision=net.precision), tmp_path / "b.onnx")
    verdict = decided(a, b, tmp_path)
    assert (verdict.answer, verdict.method) == ("equal", "names")
    assert verdict.strength == "exact" if seed < 3 else verdict.strength in ("exact", "rounding")
    if verdict.strength == "rounding":
        assert verdict.backward_error_ulp is not None and 0 < verdict.backward_error_ulp <= 8
        assert decided(a, b, tmp_path, exact=True).answer == "different"
    row = other.outputs[0]
    changed = replace(other, outputs=(replace(row, bias=row.bias + 1e-3), *other.outputs[1:]), precision=net.precision)
    assert decided(a, save(changed, tmp_path / "c.onnx"), tmp_path).answer == "different"


def test_formats_and_precisions(tmp_path: Path):
    """float32 .npz, .onnx and .pt2 of a plain network, a clone and a constant unit planted."""
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(3, 2)).round(2), rng.normal(size=3).round(2)), (np.array([[1.0, -2.0, 0.5]]), [0.25])]
    net = replace(DagNetwork.from_layers(layers), precision="float32")
    w, b = np.vstack([layers[0][0], -layers[0][0][1]]), np.append(layers[0][1], -layers[0][1][1])
    big = replace(DagNetwork.from_layers([(w, b), (np.array([[1.0, -1.5, 0.5, 0.5]]), [0.25])]), precision="float32")
    files = [save(big, tmp_path / f"big.{end}") for end in ("npz", "onnx", "pt2")]
    small = [save(net, tmp_path / f"small.{end}") for end in ("npz", "pt2")]
    for a, b in ((small[0], files[1]), (small[1], files[2]), (files[2], small[0])):
        assert decided(a, b, tmp_path).strength == "exact"


def test_one_unit_in_the_last_place(tmp_path: Path):
    net = random_dag(np.random.default_rng(3), name="tanh")
    unit = net.units[0]
    row = replace(unit.row, weights=(float(np.nextafter(unit.row.weights[0], 9.0)), *unit.row.weights[1:]))
    near = replace(net, units=(Unit("tanh", row), *net.units[1:]))
    a, b = save(net, tmp_path / "a.onnx"), save(near, tmp_path / "b.onnx")
    assert decided(a, b, tmp_path).strength == "rounding"
    assert decided(a, b, tmp_path, exact=True).answer == "different"
    assert decided(a, b, tmp_path, ulp=0).answer == "different"


def test_a_gap_far_below_floats(tmp_path: Path):
    def net(c: float) -> Path:
        units = (Unit("tanh", Row.of({0: 1.0}, 0.5)), Unit("sigmoid", Row.of({1: 1.0})))
        return save(DagNetwork(1, units, (Row.of({2: 1.0}, c),)), tmp_path / f"{c}.onnx")

    verdict = decided(net(0.0), net(1e-300), tmp_path)
    assert verdict.answer == "different" and verdict.witness is not None
    assert verdict.witness.gap == pytest.approx(1e-300)
    assert verdict.witness.exact_gap is not None
    box = decided(net(0.0), net(1e-300), tmp_path, box=(2.0, 3.0))
    assert box.witness is not None and 2.0 <= box.witness.input[0] <= 3.0


def test_softsigns_in_a_row(tmp_path: Path):
    """s(s(t)) = s(2t)/2; and a near miss."""

    def net(*weights: float) -> Path:
        units = [Unit("softsign", Row.of({i: w})) for i, w in enumerate(weights[:-1])]
        made = DagNetwork(1, tuple(units), (Row.of({len(units): weights[-1]}),))
        return save(made, tmp_path / f"{'_'.join(map(str, weights))}.onnx")

    assert decided(net(1.0, 1.0, 1.0), net(2.0, 0.5), tmp_path).strength == "exact"
    assert decided(net(1.0, 1.0, 1.0), net(2.0, 0.501), tmp_path).answer == "different"


class Small(torch.nn.Module):
    """Two convolutions with a skip connection, an average pool, a linear layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one = torch.nn.Conv2d(1, width, 3, padding=1)
        self.two = torch.nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.out = torch.nn.Linear(4 * width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.one(x))
        h = h + torch.sigmoid(self.two(h))
        return self.out(torch.nn.functional.avg_pool2d(h, 2).flatten(1))


def filled(net: Small, arrays: dict[str, np.ndarray]) -> fs.Network:
    net.eval().double().load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return fs.load(net, (torch.zeros(2, 1, 4, 4, dtype=torch.float64),))


def test_a_convolutional_network_with_a_cloned_channel():
    """Channel 2 of the first layer is channel 0; both channels share what is read of it, and channel 2 of the sum."""
    rng = np.random.default_rng(0)
    shapes = {name: tuple(p.shape) for name, p in Small(2).named_parameters()}
    a = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    two = np.zeros((3, 3, 3, 3))
    two[:2, :2] = a["two.weight"]
    two[:2, 0] = two[:2, 2] = a["two.weight"][:, 0] / 2
    two[2] = two[0]
    out = np.concatenate([a["out.weight"], np.zeros((2, 4))], axis=1)
    out[:, :4], out[:, 8:] = a["out.weight"][:, :4] / 2, a["out.weight"][:, :4] / 2
    b = {name: a[name][[0, 1, 0]] for name in ("one.weight", "one.bias")}
    b |= {"two.weight": two, "out.weight": out, "out.bias": a["out.bias"]}
    nets = [filled(Small(2), a), filled(Small(3), b)]
    verdict = fs.compare(*nets)
    assert (verdict.answer, verdict.strength, verdict.method) == ("equal", "exact", "names")
    assert fs.verify(verdict.certificate, *nets).valid
    two[0, 2, 1, 1] += 1e-3
    assert fs.compare(nets[0], filled(Small(3), b)).answer == "different"


def test_the_digits_network(tmp_path: Path):
    from tests.affine.test_digits import plant

    from fiberscope.affine.from_network import from_network
    from fiberscope.affine.to_network import layers_of

    stored = layers_of(from_network(fs.load(MODELS / "digits_tanh.onnx")))
    assert stored is not None
    big = save(DagNetwork.from_layers(plant(stored[0], seed=0)), tmp_path / "big.npz")
    assert decided(MODELS / "digits_tanh.onnx", big, tmp_path).strength == "rounding"
