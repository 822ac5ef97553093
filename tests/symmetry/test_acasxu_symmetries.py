"""The published ACAS Xu networks: six layers of 50 ReLU units, in three layouts of the graph."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fiberscope.network import load
from fiberscope.symmetry.element import to_array
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.redundancy import redundancy
from fiberscope.symmetry.symmetries import symmetries

LAYOUTS = ("original", "plain", "pruned", "perturbed")


def files(acasxu: Path, layout: str) -> list[Path]:
    found = sorted((acasxu / layout).glob("*.onnx"))
    if not found:
        pytest.skip(f"no networks in {layout}")
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_six_spaces_of_fifty(acasxu: Path, layout: str):
    sym = symmetries(load(files(acasxu, layout)[0]))
    assert [(s.size, s.mixing, s.scaling, s.activation, s.copies) for s in sym.spaces] == [
        (50, Mixing.permutation, "positive", "relu", 1)
    ] * 6
    assert (sym.dimension, sym.axis, sym.translation, sym.invisible) == (300, 300, 0, 0)
    assert sym.log10_order == pytest.approx(6 * math.log10(math.factorial(50)))
    assert f"{sym.log10_order:.1f}" == "386.9" and not sym.frozen


def raw_layers(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """(W of shape (units, inputs), b) from the stored arrays, in the order of the file's products and sums."""
    model = onnx.load(str(path))
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    layers: list[tuple[np.ndarray, np.ndarray]] = []
    weight = None
    for node in model.graph.node:
        stored = [arrays[i] for i in node.input if i in arrays]
        if node.op_type == "MatMul":
            weight = stored[0].T if node.input[1] in arrays else stored[0]
        elif node.op_type == "Gemm":
            turned = any(a.name == "transB" and a.i for a in node.attribute)
            layers.append((stored[0] if turned else stored[0].T, stored[1].ravel()))
        elif node.op_type == "Add" and weight is not None:
            layers.append((weight, stored[0].ravel()))
            weight = None
    return layers


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_dead_units_are_those_of_the_stored_arrays(acasxu: Path, step: int):
    counts = []
    for path in files(acasxu, "pruned")[::step]:
        layers = raw_layers(path)
        assert [len(b) for _, b in layers] == [50] * 6 + [5]
        expected = set()
        for l, (weight, bias) in enumerate(layers[:-1]):
            silent = (weight == 0).all(axis=1) & (bias <= 0)
            unread = (layers[l + 1][0] == 0).all(axis=0)
            expected |= {(l, int(i)) for i in np.flatnonzero(silent | unread)}
        net = load(path)
        sym = symmetries(net)
        found = redundancy(sym, {n: to_array(net.weights[n]) for n in sym.layouts})
        places = {s.id: l for l, s in enumerate(sym.spaces)}
        assert {(places[s], i) for s, i in found.dead} == expected
        counts.append(len(found.dead))
    assert all(11 <= c <= 83 for c in counts)


def test_no_redundant_units_before_pruning(acasxu: Path):
    net = load(files(acasxu, "original")[0])
    sym = symmetries(net)
    found = redundancy(sym, {n: to_array(net.weights[n]) for n in sym.layouts})
    assert not (found.dead or found.constant or found.duplicate)
