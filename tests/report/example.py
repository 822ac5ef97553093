"""A hand-made inspection in the shape of the JSON contract, over a real small network."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch

import fiberscope as fs
from fiberscope.network import Network
from fiberscope.symmetry.symmetries import Symmetries

REPORT: dict[str, Any] = {
    "model": {
        "path": "some<folder>/a&b.onnx",
        "format": "onnx",
        "sha256": "ab" * 32,
        "parameters": 59,
        "inputs": [{"name": "x", "shape": [4]}],
        "outputs": [{"name": "y", "shape": [2]}],
    },
    "spaces": [
        {
            "id": "s0",
            "size": 5,
            "mixing": "permutation",
            "scaling": "positive",
            "activation": "relu",
            "weights": [
                {"name": "0.weight", "axis": 0},
                {"name": "0.bias", "axis": 0},
                {"name": "2.weight", "axis": 1},
            ],
            "frozen_by": None,
            "copies": 1,
            "within": None,
        },
        {
            "id": "s1",
            "size": 3,
            "mixing": "permutation",
            "scaling": "sign",
            "activation": "tanh",
            "weights": [
                {"name": "2.weight", "axis": 0},
                {"name": "2.bias", "axis": 0},
                {"name": "4.weight", "axis": 1},
            ],
            "frozen_by": None,
            "copies": 1,
            "within": None,
        },
    ],
    "symmetry": {
        "continuous_dimension": 5,
        "axis_dimension": 5,
        "translation_dimension": 0,
        "invisible_dimension": 0,
        "log10_discrete_order": 3.76,
    },
    "redundant": {"dead": [["s0", 1], ["s0", 2]], "constant": [["s1", 0]], "duplicate": []},
    "self_check": {"elements": 3, "max_relative_change": 2.0e-15},
    "fingerprint": "fs1:0123456789abcdef",
    "seed": 0,
}


@dataclass(frozen=True)
class Example:
    """Stands for `fiberscope.equivalence.inspection.Inspection`."""

    network: Network
    symmetries: Symmetries
    report: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return copy.deepcopy(self.report)


def example() -> Example:
    """4-5-3-2, ReLU then tanh."""
    nn = torch.nn
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2))
    net = fs.load(module.eval(), (torch.zeros(2, 4),), name="<b>tiny</b>")
    return Example(net, fs.symmetries(net), copy.deepcopy(REPORT))
