"""What a unit means: the word for each space, against what moving the units can and cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fiberscope as fs

WORDS = {"exact", "sign", "positive_scale", "nonzero_scale", "rotation", "general_linear", "none"}


def whole(path: Path) -> dict[str, Any]:
    """The key ``identifiability`` of a model's report."""
    found: Any = fs.inspect(fs.load(path)).to_json()["identifiability"]
    return found


def report(module: nn.Module, *shape: int) -> dict[str, Any]:
    return fs.inspect(fs.load(module.eval(), (torch.randn(*shape),))).to_json()


@pytest.mark.parametrize(
    ("activation", "word"),
    [(nn.ReLU(), "positive_scale"), (nn.Tanh(), "sign"), (nn.Sigmoid(), "sign"), (nn.GELU(), "exact")],
)
def test_words_of_activations(activation: nn.Module, word: str):
    (space,) = report(nn.Sequential(nn.Linear(3, 4), activation, nn.Linear(4, 2)), 2, 3)["spaces"]
    assert space["identifiability"] == word
    assert space["identifiability_units"] == []


def test_a_linear_chain_means_nothing():
    (space,) = report(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), 2, 3)["spaces"]
    assert space["identifiability"] == "general_linear"


def test_every_word_of_a_transformer_is_one_of_the_list():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    found = {space["identifiability"] for space in report(layer, 2, 3, 8)["spaces"]}
    assert found <= WORDS | {None}
    assert "general_linear" in found  # query-key and value-output inside each head


def test_units_without_a_direction():
    first, last = nn.Linear(3, 4), nn.Linear(4, 2)
    with torch.no_grad():
        last.weight[:, 1] = 0.0  # unread
        first.weight[3] = 0.0  # no input reaches it
    (space,) = report(nn.Sequential(first, nn.ReLU(), last), 2, 3)["spaces"]
    assert space["identifiability_units"] == [[1, "none"], [3, "none"]]


def test_the_theorem_is_named_only_where_there_is_one(models: Path):
    tanh = whole(models / "digits_tanh.onnx")
    assert tanh["complete"]
    assert "identifiability" in tanh["theorem"]
    factorial = [1.0]
    for n in range(1, 25):
        factorial.append(factorial[-1] * n)
    assert int(tanh["copies"]) == pytest.approx(2**40 * factorial[24] * factorial[16], rel=1e-12)
    relu = whole(models / "digits_relu.onnx")
    assert (relu["complete"], relu["theorem"], relu["copies"]) == (False, None, None)


def test_redundant_tanh_units_void_the_theorem(tmp_path: Path):
    rng = np.random.default_rng(0)
    w, v = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
    w[3] = -w[2]
    np.savez(tmp_path / "a.npz", W1=w, W2=v, activation="tanh")
    found = whole(tmp_path / "a.npz")
    assert not found["complete"]
    assert "redundant" in found["reason"]
