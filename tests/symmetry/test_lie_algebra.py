"""Tangent vectors: they are derivatives of the action, keep the outputs to first order, and are as many as claimed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.programs import program
from tests.symmetry.test_elements import built
from torch import nn

from fiberscope.network import Network
from fiberscope.symmetry.element import Element, Part, to_array
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.lie import Generator, _generator_matrix
from fiberscope.symmetry.symmetries import Symmetries, symmetries

NAMES = ("relu_tanh", "square_gelu_relu", "linear_linear", "heads", "grouped_heads", "per_token")
STEP = 1e-5


def flow(sym: Symmetries, generator: Generator, t: float) -> Element:
    """exp(t X) for one generator."""
    one = sym.identity()
    if generator.atom < 0:
        amounts = [np.zeros(s.dimension) for s in sym.shifts]
        amounts[-1 - generator.atom][generator.entry[0]] = t
        return Element(sym, one.parts, tuple(amounts))
    group, part = sym.groups[generator.atom], one.parts[generator.atom]
    if generator.mode is not None:
        assert part.log is not None
        log = part.log.copy()
        log[(generator.mode, *generator.copy, generator.entry[0])] = np.exp(t)
        made = Part(part.source, log, part.sign)
    else:
        from scipy.linalg import expm

        assert part.matrix is not None
        matrix = part.matrix.copy()
        matrix[generator.copy] = expm(t * _generator_matrix(group.mixing, group.atom.size, generator.entry))
        made = Part(matrix=matrix)
    return Element(sym, {**one.parts, generator.atom: made})


@pytest.mark.parametrize("name", NAMES)
def test_tangents_are_derivatives_of_the_action(name: str):
    _, sym, w = built(name)
    algebra = sym.lie_algebra()
    for generator in algebra.generators():
        plus, minus = (flow(sym, generator, t).act(w) for t in (STEP, -STEP))
        claimed = algebra.tangent(generator, w)
        for n in w:
            slope = (plus[n] - minus[n]) / (2 * STEP)
            assert np.abs(slope - claimed.get(n, 0.0)).max() < 1e-7 * (1 + np.abs(slope).max()), (generator, n)


@pytest.mark.parametrize("name", NAMES)
def test_tangents_lie_on_the_fiber(name: str):
    """The derivative of the outputs along every direction of the algebra vanishes."""
    net, sym, w = built(name)
    rng = np.random.default_rng(0)
    inputs = [torch.from_numpy(rng.standard_normal(i.shape)) for i in net.inputs]
    names = list(sym.layouts)
    algebra = sym.lie_algebra()

    def outputs(*weights: torch.Tensor) -> torch.Tensor:
        return torch.cat(
            [y.ravel() for y in net.interpret(inputs, dict(zip(names, weights, strict=True)), dtype=torch.float64)]
        )

    point = tuple(torch.from_numpy(w[n]) for n in names)
    size = float(outputs(*point).abs().max())
    for generator in algebra.generators():
        moved = algebra.tangent(generator, w)
        direction = tuple(torch.from_numpy(np.array(moved.get(n, np.zeros_like(w[n])))) for n in names)
        slope = torch.func.jvp(outputs, point, direction)[1]
        assert float(slope.abs().max()) < 1e-9 * size, generator


@pytest.mark.parametrize("name", NAMES)
def test_as_many_independent_directions_as_the_dimension(name: str):
    _, sym, w = built(name)
    rows = sym.lie_algebra().matrix(w)
    assert np.linalg.matrix_rank(rows, tol=1e-9 * np.linalg.norm(rows, 2)) == sym.dimension
    assert len(sym.lie_algebra()) == len(rows) >= sym.dimension


def wide() -> Network:
    """A linear chain whose hidden layer is wider than what it reads and writes: the group does not act freely."""
    return program(lambda s, x: x @ s.w @ s.v, (2, 2), w=(2, 5), v=(5, 3))


def test_a_stabiliser_is_not_counted():
    net = wide()
    sym = symmetries(net)
    w = {n: to_array(t) for n, t in net.weights.items()}
    rows = sym.lie_algebra().matrix(w)
    assert len(rows) == 25
    assert np.linalg.matrix_rank(rows) == sym.dimension == 25 - 3 * 2


@pytest.mark.parametrize("mixing", [Mixing.orthogonal, Mixing.orthogonal_fixing_ones])
def test_generators_of_rotations(mixing: Mixing):
    from fiberscope.symmetry.lie import _entries

    made = [_generator_matrix(mixing, 5, e) for e in _entries(mixing, 5)]
    assert len(made) == mixing.dimension(5) == np.linalg.matrix_rank([x.ravel() for x in made])
    for x in made:
        assert np.allclose(x, -x.T)
        assert mixing is Mixing.orthogonal or np.allclose(x @ np.ones(5), 0)


def test_layer_norm_stream():
    """A stream between LayerNorms without gain: rotations that fix the ones, as many as the algebra says."""
    net = program(
        lambda s, x: s.b(nn.functional.layer_norm(s.a(x), (5,))),
        (2, 3),
        a=lambda: nn.Linear(3, 5),
        b=lambda: nn.Linear(5, 2),
    )
    sym = symmetries(net)
    w = {n: to_array(t) for n, t in net.weights.items()}
    assert [s.mixing for s in sym.spaces] == [Mixing.orthogonal_fixing_ones]
    assert np.linalg.matrix_rank(sym.lie_algebra().matrix(w)) == sym.dimension == 6
