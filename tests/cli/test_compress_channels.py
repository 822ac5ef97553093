"""`fiberscope compress` on linear channels: what is carried by others goes, a near miss stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.cli.conftest import Run
from tests.equivalence.folds import planted
from torch import nn

import fiberscope as fs


@pytest.mark.slow
@pytest.mark.parametrize(("row", "bias", "folded"), [(0.0, 0.25, 1), (0.0, 0.0, 1), (1e-6, 0.25, 0), (0.0, -1e-9, 0)])
def test_a_near_miss_stays(row: float, bias: float, folded: int, tmp_path: Path, run: Run):
    """Channel 4 is 0.5 u0 + 0.75 u1 up to a constant and at least ``bias`` on [0, 1]; or off by a millionth."""
    module, example = planted("block", nn.ReLU(), double=True)
    with torch.no_grad():
        module.c1.weight[5] = module.c1.weight[8]
        module.c1.bias[7] += 0.125
        module.c1.weight[4, 0] *= 1 + row
        module.c1.bias[4] = bias
    a, b, proof = tmp_path / "a.pt2", tmp_path / "b.pt2", tmp_path / "p.fsc"
    fs.load(module, (example,)).save(a)
    done = run("compress", a, "-o", b, "--box", 0, 1, "--certificate", proof, "--json")
    assert done.status == 0, done.err
    assert sum(layer["folded"] for layer in done.json["layers"]) == folded
    assert done.json["units_before"] - done.json["units_after"] == folded
    assert done.json["proved"]
    assert done.json["error_bound"] == 0.0
    assert run("verify", proof, a, b).status == 0
