"""What ``inspect`` returns: the keys of the contract, sums that agree, and a self-check that means something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.symmetry.test_elements import BUILDERS
from torch import nn

from fiberscope.equivalence import inspection
from fiberscope.equivalence.inspection import inspect, self_check
from fiberscope.network import Network, load
from fiberscope.symmetry.symmetries import symmetries

KEYS = {"model", "spaces", "symmetry", "redundant", "self_check", "fingerprint", "seed"}
MODEL = {"path", "format", "sha256", "parameters", "inputs", "outputs"}
SPACE = {"id", "size", "mixing", "scaling", "activation", "weights", "frozen_by", "copies", "within"}
SYMMETRY = {
    "continuous_dimension",
    "axis_dimension",
    "translation_dimension",
    "invisible_dimension",
    "log10_discrete_order",
}
MIXING = {"none", "permutation", "complex_scalar", "orthogonal_fixing_ones", "orthogonal", "general_linear"}
SCALING = {"one", "sign", "positive", "nonzero"}


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_the_contract(name: str):
    net = BUILDERS[name]()
    found = inspect(net, seed=3)
    data: Any = found.to_json()
    assert json.loads(json.dumps(data)) == data
    assert set(data) >= KEYS
    assert set(data["model"]) == MODEL and set(data["symmetry"]) == SYMMETRY
    assert set(data["redundant"]) == {"dead", "constant", "duplicate"}
    assert set(data["self_check"]) == {"elements", "max_relative_change"}
    assert data["seed"] == 3 and data["self_check"]["elements"] > 0
    assert data["self_check"]["max_relative_change"] < 1e-10
    ids = [s["id"] for s in data["spaces"]]
    assert len(set(ids)) == len(ids)
    for space in data["spaces"]:
        assert set(space) >= SPACE
        assert space["mixing"] in MIXING and space["scaling"] in SCALING
        assert space["copies"] >= 1 and (space["within"] is None or space["within"] in ids)
        for weight in space["weights"]:
            assert set(weight) == {"name", "axis"}
            shape = net.weights[weight["name"]].shape
            assert 0 <= weight["axis"] < len(shape) and shape[weight["axis"]] >= space["size"]


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_dimensions_add_up(name: str):
    found = inspect(BUILDERS[name]())
    data: Any = found.to_json()
    s = data["symmetry"]
    parts = s["axis_dimension"] + s["translation_dimension"] + s["invisible_dimension"]
    assert s["continuous_dimension"] == parts == found.symmetries.dimension


def test_the_self_check_sees_a_false_claim(monkeypatch: pytest.MonkeyPatch):
    """If elements did not keep the function, the check would say so."""
    net = BUILDERS["relu_tanh"]()
    sym = symmetries(net)
    right = sym.random(0).act

    class Wrong:
        def act(self, weights):
            moved = right(weights)
            name = next(iter(moved))
            return {**moved, name: moved[name] * 1.001}

    monkeypatch.setattr(type(sym), "random", lambda self, seed: Wrong())
    assert self_check(net, sym, 0) > 1e-5


def test_a_file(models: Path):
    path = models / "digits_tanh.onnx"
    data: Any = inspect(load(path)).to_json()
    assert data["model"]["path"] == str(path) and data["model"]["format"] == "onnx"
    assert len(data["model"]["sha256"]) == 64
    assert data["redundant"] == {"dead": [], "constant": [], "duplicate": []}
    assert {s["activation"] for s in data["spaces"]} == {"tanh"}


def test_redundant_units_are_named_by_space_and_unit():
    net: Any = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    with torch.no_grad():
        net[2].weight[:, 4] = 0.0
        net[0].weight[1] = net[0].weight[0]
        net[0].bias[1] = net[0].bias[0]
    data: Any = inspect(load(net.eval(), (torch.zeros(2, 3, dtype=torch.float64),))).to_json()
    assert data["redundant"] == {"dead": [["s0", 4]], "constant": [], "duplicate": [["s0", 1]]}


def test_repr_and_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inspection, "SELF_CHECK_ELEMENTS", 1)
    found = inspect(_named("<b>"))
    assert len(repr(found).splitlines()) == 3
    assert "<b>" not in found._repr_html_() and "&lt;b&gt;" in found._repr_html_()


def _named(name: str) -> Network:
    return load(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).eval(), (torch.zeros(2, 2),), name=name)
