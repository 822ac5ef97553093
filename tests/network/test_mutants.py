"""Thousands of damaged files per format: only LoadError comes out, and nothing hangs."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.attacks.mutation import mutants
from tests.network.onnx_models import helper, model, perceptron, write
from torch import nn

from fiberscope.errors import LoadError
from fiberscope.network import load


def make_npz(path: Path) -> None:
    """A small perceptron."""
    rng = np.random.default_rng(0)
    w1, w2 = rng.standard_normal((4, 3)).astype("f4"), rng.standard_normal((2, 4)).astype("f4")
    np.savez(path, W1=w1, b1=w1[:, 0], W2=w2, activation="tanh")


def make_pt2(path: Path) -> None:
    """A small module with an embedding and a norm."""
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)).eval()
    load(module, torch.zeros(2, 3)).save(path)


def make_onnx(path: Path) -> None:
    """A perceptron behind shape arithmetic."""
    rng = np.random.default_rng(0)
    made = perceptron(rng)
    constants = {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([-1])}
    nodes = [
        helper.make_node("Shape", ["input"], ["s"]),
        helper.make_node("Slice", ["s", "zero", "one"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["input", "t"], ["x"]),
    ]
    head = model(nodes, {"input": np.zeros((1, 2, 2), np.float32)}, ["x"], constants, dims={"input": ["N", 2, 2]})
    head.graph.node.extend(made.graph.node)
    head.graph.initializer.extend(made.graph.initializer)
    head.graph.output[0].name = made.graph.output[0].name
    write(head, path)


SEEDS: dict[str, Callable[[Path], None]] = {"npz": make_npz, "pt2": make_pt2, "onnx": make_onnx}


def attack(suffix: str, count: int, seed: int, folder: Path) -> tuple[int, float]:
    """Load ``count`` mutants; gives how many were still valid, and the slowest time."""
    source, target = folder / f"seed.{suffix}", folder / f"mutant.{suffix}"
    SEEDS[suffix](source)
    load(source)
    survivors, slowest, texts = 0, 0.0, []
    for data in mutants(source.read_bytes(), count, seed):
        target.write_bytes(data)
        started = time.perf_counter()
        try:
            load(target)
            survivors += 1
        except LoadError as error:
            texts.append(str(error))
        slowest = max(slowest, time.perf_counter() - started)
    assert all("mutant" in text and text.isprintable() and len(text) < 1200 for text in texts)
    return survivors, slowest


@pytest.mark.parametrize("suffix", SEEDS)
def test_mutants(suffix: str, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    survivors, slowest = attack(suffix, 150, 1, tmp_path)
    assert survivors < 150
    assert slowest < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # kilobytes


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SEEDS)
def test_many_mutants(suffix: str, tmp_path: Path) -> None:
    survivors, _ = attack(suffix, 2000, 2, tmp_path)
    assert survivors < 2000
