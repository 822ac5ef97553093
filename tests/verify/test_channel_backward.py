"""Bounds of the values of graphs on several boxes: true at random points, tighter than intervals."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.equivalence.test_compression_graph import KINDS, Depthwise, filled, made
from tests.verify.test_channels import gated, values
from torch import nn

import fiberscope as fs
import fiberscope_verify
from fiberscope_verify.channel_backward import Plan, forward, upper
from fiberscope_verify.channel_linear import Linear
from fiberscope_verify.core import Graph
from fiberscope_verify.lower import lower


def strided() -> tuple[Any, torch.Tensor]:
    """Strides, dilation, groups, and means over windows that overhang."""
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, dilation=2, padding=2, groups=2),
        nn.LeakyReLU(0.125),
        nn.AvgPool2d(2, padding=1, count_include_pad=False),
        nn.Conv2d(4, 3, 2),
        nn.ReLU(),
        nn.MaxPool2d(2, stride=1),
        nn.Flatten(),
        nn.Linear(3, 2),
    )
    return filled(module, 1), torch.zeros(2, 2, 9, 9)


def cancelling() -> tuple[Any, torch.Tensor]:
    module: Any = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.fill_(1.0)
        module[2].weight.copy_(torch.tensor([[1.0, -1.0]]))
        module[2].bias.zero_()
    return module.eval(), torch.zeros(2, 2)


CASES: dict[str, Callable[[], tuple[Any, torch.Tensor]]] = {
    **{f"{kind} {rho}": lambda kind=kind, rho=rho: made(kind, rho)[:2] for kind in KINDS for rho in ("relu", "gelu")},
    "gated": gated,
    "strided": strided,
    "cancelling": cancelling,
    "depthwise": lambda: (filled(Depthwise(), 0), torch.zeros(2, 2, 5, 5)),
}


@functools.cache
def graph_of(case: str) -> tuple[Graph, int]:
    """The checker's graph and the size of a sample."""
    module, example = CASES[case]()
    net = fs.load(module, (example,))
    return lower(fiberscope_verify.read_model(net.neutral())), net.n_in


def point(graph: Graph, lo: np.ndarray, hi: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Inputs of the graph, every sample of the traced batch in the box."""
    out, at = [], 0
    for v in graph.inputs:
        count, *rest = graph.shape(v)
        size = math.prod(rest)
        part = slice(at, at + size)
        out.append(rng.uniform(lo[part], hi[part], (count, size)).reshape(graph.shape(v)))
        at += size
    return out


@pytest.mark.parametrize("case", CASES)
def test_bounds_hold_at_random_points(case: str):
    (graph, n), rng = graph_of(case), np.random.default_rng(0)
    centre = rng.uniform(-1, 1, n)
    lo, hi = np.stack([centre - 0.3, np.full(n, -1.0), centre]), np.stack([centre + 0.1, np.full(n, 1.0), centre])
    plan, v = Plan(graph), graph.outputs[0]
    rows = np.arange(plan.size(v))
    known = forward(plan, lo, hi, None, v)
    above, below = upper(known, v, rows, 1.0), -upper(known, v, rows, -1.0)
    plain = forward(plan, lo, hi, None, v, refine=False)
    low, high = (e.reshape(3, -1) for e in plain.ends[v])
    assert np.all((high - low)[2] < 1e-9)  # at a point nothing is lost but rounding
    if "relu" in case:
        assert np.all((above - below)[0] < (high - low)[0])
    for box in range(3):
        for _ in range(3):
            there = values(graph, point(graph, lo[box], hi[box], rng))
            for u, value in there.items():
                for found in (known, plain):
                    if u in found.ends:
                        ends = found.ends[u][0][box], found.ends[u][1][box]
                        assert np.all((ends[0] - 1e-12 <= value) & (value <= ends[1] + 1e-12))
            flat = there[v].reshape(-1)
            assert np.all((below[box] - 1e-12 <= flat) & (flat <= above[box] + 1e-12))


@pytest.mark.parametrize("case", CASES)
def test_every_linear_operation_runs_backwards(case: str):
    """<g, A x> = <A' g, x>, and the absolute map bounds it."""
    (graph, _), rng = graph_of(case), np.random.default_rng(1)
    plan, seen = Plan(graph), 0
    for v, found in plan.affine.items():
        for u, part in found.parts:
            assert isinstance(part, Linear)
            x, g = rng.normal(size=(2, *graph.shape(u))), rng.normal(size=(2, *graph.shape(v)))
            y = part.act(x)
            assert y.shape == g.shape
            assert part.back(g).shape == x.shape
            assert (g * y).sum() == pytest.approx((part.back(g) * x).sum())
            assert np.all(np.abs(y) <= part.size(np.abs(x)) + 1e-12)
            seen += 1
    assert seen >= 4


def test_what_cancels_is_seen():
    """relu(z) - relu(z), z = x + y + 1 in [-1, 3]: intervals say 3, the chord less the line z at most 1."""
    graph, _ = graph_of("cancelling")
    plan, v = Plan(graph), graph.outputs[0]
    found = forward(plan, -np.ones((1, 2)), np.ones((1, 2)), None, v)
    assert found.ends[v][1].max() == pytest.approx(3.0)
    assert upper(found, v, np.arange(2), 1.0).max() == pytest.approx(1.0)
