"""Real graphs become the boxes that a person would draw."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.report.example import example
from torch import nn

import fiberscope as fs
from fiberscope.scene.boxes import boxes
from fiberscope.scene.carried import carried
from fiberscope.scene.network import network_scene
from fiberscope.scene.svg import svg


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.inner, self.read = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        stream = self.stem(x).relu()
        return self.read((stream + self.norm(self.inner(stream))).relu().mean((2, 3)))


class Encoder(nn.Module):
    def __init__(self, depth: int):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
        self.body = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, x):
        return self.body(x)


def test_a_residual_block():
    net = fs.load(Residual().eval(), (torch.zeros(2, 1, 6, 6),))
    found = boxes(net)
    assert [box.operations for box in found[1:-1]] == [
        ["convolution", "relu"],
        ["convolution", "_native_batch_norm_legit_no_training"],
        ["add", "relu", "mean"],
        ["addmm"],
    ]
    assert [box.sources for box in found] == [[], [0], [1], [1, 2], [3], [4]]
    assert [(box.born, box.axis) for box in found[1:3]] == [("stem.weight", 0), ("inner.weight", 0)]


def test_a_linear_map_knows_the_axis_it_writes():
    """torch keeps (out, in) and reads it transposed; a product with x on the left reads (in, out) as it is."""

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Parameter(torch.ones(4, 5))
            self.second = nn.Linear(5, 2)

        def forward(self, x):
            return self.second((x @ self.first).relu())

    found = boxes(fs.load(Plain().eval(), (torch.zeros(2, 4),)))
    assert [(box.born, box.axis) for box in found if box.born] == [("first", 1), ("second.weight", 0)]


@pytest.mark.parametrize("name", ["original", "plain"])
def test_both_layouts_of_acas_xu_are_seven_maps(name: str, acasxu: Path):
    """x @ W with a batch, and W @ x of one vector: seven linear boxes either way."""
    net = fs.load(sorted((acasxu / name).glob("*.onnx"))[0])
    found = boxes(net)
    assert [box.axis for box in found if box.born] == [1 if name == "original" else 0] * 7
    assert sum(box.kind == "op" for box in found) == 7
    spaces = [leaving for leaving in carried(net, fs.symmetries(net), found) if leaving]
    assert len(set(spaces)) == 6


def test_sources_come_before_readers_and_every_weight_is_read():
    net = fs.load(Encoder(2).eval(), (torch.zeros(2, 5, 16),))
    found = boxes(net)
    assert all(source < at for at, box in enumerate(found) for source in box.sources)
    assert {weight for box in found for weight in box.weights} == set(net.weights) - set(net.unused)


def test_spaces_are_handed_on():
    tiny = example()
    leaving = carried(tiny.network, tiny.symmetries, boxes(tiny.network))
    assert leaving == [(), ("s0",), ("s1",), (), ()]


@pytest.mark.parametrize("depth", [2, 12])
def test_big_networks_fold(depth: int):
    net = fs.load(Encoder(depth).eval(), (torch.zeros(2, 5, 16),))
    scene = network_scene(net, fs.symmetries(net))
    assert len(scene.nodes) <= 30
    assert len({node.id for node in scene.nodes}) == len(scene.nodes)
    assert [frame.label for frame in scene.frames] == ([f"{depth} like this"] if depth == 12 else [])
    assert svg(scene, standalone=True).count("<g ") == len(scene.nodes) + len(scene.frames)


def test_attention_hands_on_what_its_types_say():
    """Scores belong to no space; the mixed values do, inside their heads; the stream is one space throughout."""
    net = fs.load(Encoder(1).eval(), (torch.zeros(2, 5, 16),))
    found, symmetries = boxes(net), fs.symmetries(net)
    leaving = dict(zip((box.id for box in found), carried(net, symmetries, found), strict=True))
    kinds = {space.id: space for space in symmetries.spaces}
    softmax = next(box.id for box in found if "_softmax" in box.operations)
    assert {kinds[space].within for space in leaving[softmax]} <= {None}
    hidden = next(box.id for box in found if box.born == "body.layers.0.linear1.weight")
    assert [kinds[space].mixing.name for space in leaving[hidden]] == ["permutation"]
