"""The fiber against listing, grids of all small networks, a labelled graph of closed cells, and published values."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiberscope.errors import InputError
from fiberscope.numerics.exact import fraction, rationals
from fiberscope.shallow.cell import Cell, cell_dimension
from fiberscope.shallow.cell_graph import steps_down
from fiberscope.shallow.examples import (
    boundary_off_the_folds,
    four_hyperplanes,
    m_symmetric,
    network,
    reversal_without_annihilation,
    reversed_pair,
)
from fiberscope.shallow.fiber import Fiber
from fiberscope.shallow.fiber_components import count_components
from fiberscope.shallow.fiber_equation import FiberEquation
from fiberscope.shallow.fisher import fisher
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form
from fiberscope.shallow.reversals import reversals

from .oracle import row_rank


def generic(m: int, n: int, k: int = 1, seed: int = 0, activation: str = "relu") -> ShallowModel:
    draw = np.random.default_rng(seed).standard_normal
    return ShallowModel(draw((m, n)), draw(m), draw((k, m)), draw(k), activation)


def small(seed: int, activation: str = "relu") -> ShallowModel:
    """Small integers, so that orientations cancel, folds are parallel, and slopes are spanned by accident."""
    rng = np.random.default_rng(seed)
    n, k, m = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(0, 4))
    arrays = [rng.integers(-1, 2, shape) / 1.0 for shape in ((m, n), m, (k, m), k)]
    return ShallowModel(arrays[0], arrays[1], arrays[2], arrays[3], activation)


def fiber(model: ShallowModel, units: int) -> Fiber | None:
    try:
        return Fiber.of(model, units)
    except InputError:
        return None


TABLE = [  # n, m, d, cells by dimension (None: only their number), labelled components, modulo permutations
    (1, 0, 1, {2: 3}, 1, 1),
    (1, 0, 2, {4: 11}, 1, 1),
    (1, 0, 3, {6: 47}, 1, 1),
    (1, 0, 4, 245, 1, 1),
    (1, 1, 1, {1: 1}, 1, 1),
    (1, 1, 2, {3: 7}, 1, 1),
    (1, 1, 3, {4: 9, 5: 43}, 1, 1),
    (1, 2, 2, {2: 2}, 2, 1),
    (1, 2, 3, {3: 12, 4: 24}, 13, 3),
    (1, 2, 4, {5: 336, 6: 218}, 1, 1),
    (1, 3, 3, {3: 6}, 6, 1),
    (1, 3, 4, {4: 216, 5: 108}, 217, 10),
    (2, 1, 1, {1: 1}, 1, 1),
    (2, 1, 2, {3: 5, 4: 2}, 1, 1),
    (2, 1, 3, {4: 6, 5: 19, 6: 18, 7: 3}, 1, 1),
    (2, 2, 2, {2: 2}, 2, 1),
    (2, 2, 3, {4: 18, 5: 6}, 1, 1),
    (2, 2, 4, {5: 60, 6: 110, 7: 84, 8: 12}, 25, 2),
    (2, 2, 5, 3240, 1, 1),
    (2, 3, 3, {3: 6}, 6, 1),
    (2, 3, 4, {5: 84, 6: 24}, 1, 1),
    (2, 3, 5, 2250, 841, 8),
    (2, 3, 6, 49080, 1, 1),
    (3, 2, 4, 266, 25, 2),
]


@pytest.mark.parametrize(("n", "m", "d", "cells", "labelled", "modulo"), TABLE)
def test_generic_functions(n, m, d, cells, labelled, modulo):
    found = Fiber.of(generic(m, n, seed=n + 7 * m), d)
    assert (found.by_dimension if isinstance(cells, dict) else found.count) == cells
    assert (found.components.labelled, found.components.modulo_permutations) == (labelled, modulo)
    e = d - m
    if m >= 1 and e >= 1:
        assert found.dimension == m + e * (n + 1)  # all spare units silent


def test_named_examples():
    assert Fiber.of(four_hyperplanes()).by_dimension == {4: 96}
    assert [Fiber.of(four_hyperplanes(), d).components.labelled for d in (4, 5)] == [96, 4]
    pair = reversed_pair().truth
    assert [Fiber.of(pair, d).by_dimension for d in (2, 3, 4)] == [{2: 4}, {4: 48}, {5: 120, 6: 436}]
    assert [Fiber.of(pair, d).components.labelled for d in (2, 3, 4)] == [4, 2, 1]
    for example in (reversal_without_annihilation(), boundary_off_the_folds()):
        found = Fiber.of(example.truth, example.model.units)
        cell = found.cell_of(example.model)
        assert cell in set(found.cells())
        # opposite units on the fold move with it to the first order only; on the fresh hyperplane its offset is free
        assert found.cell_dimension(cell) == {1: 3, 2: 4}[example.model.inputs]
        assert fisher(example.model, exact=True).nullity == 4
    # m-symmetric networks in exact cyclotomic disguise: m! times the number of zero-sum sets, for even m <= 8
    for m in (2, 4, 6):
        model = m_symmetric(m)
        if m == 6:  # the sixth roots of unity, sheared to rational coordinates
            model = replace(model, W1=np.array([[1, 0], [0, 1], [-1, 1], [-1, 0], [0, -1], [1, -1]]) / 1.0)
        number = reversals(model, exact=True).count
        assert Fiber.of(model).count == number * int(np.prod(np.arange(1, m + 1)))


@given(st.integers(0, 100_000), st.sampled_from(["relu", "leaky_relu(0.5)", "leaky_relu(-0.5)"]))
@settings(max_examples=40)
def test_counting_agrees_with_listing_and_points_lie_where_they_should(seed, activation):
    model = small(seed, activation)
    form = normal_form(model, exact=True)
    rng = np.random.default_rng(seed)
    for units in range(form.folds, 4):
        found = fiber(model, units)
        if found is None or found.count > 700:
            continue
        cells = list(found.cells())
        assert len(set(cells)) == len(cells)
        assert Counter(found.cell_dimension(cell) for cell in cells) == found.by_dimension
        for place in rng.choice(len(cells), min(3, len(cells)), replace=False):
            cell = cells[place]
            point = found.random_point(cell, seed=rng)
            assert normal_form(point, exact=True) == form
            assert found.cell_of(point) == cell
            assert fisher(point, exact=True).nullity >= (found.cell_dimension(cell) or 0)


@pytest.mark.slow
def test_ten_thousand_random_points_lie_in_the_fiber():
    """Evaluated in fractions by the definition of the network, at points of every kind."""
    rng = np.random.default_rng(0)
    points = 0
    for seed in itertools.count():
        model = small(seed) if seed % 2 else generic(seed % 3 + 1, seed % 2 + 1, seed % 3 + 1, seed)
        found = fiber(model, normal_form(model, exact=True).folds + seed % 3)
        if found is None or found.count > 20_000:
            continue
        form = normal_form(model, exact=True)
        for cell in found.cells(60):
            point = found.random_point(cell, seed=rng)
            assert normal_form(point, exact=True) == form
            points += 1
            if points == 10_000:
                return


def local_dimension(found: Fiber, cell: Cell, seed: int) -> int:
    """The dimension of the cell at a random point, from the exact rank of its equations in (p, u, t, ...)."""
    point = found.random_point(cell, seed=seed)
    n, k = point.inputs, point.outputs
    W1, W2 = rationals(point.W1), rationals(point.W2)
    columns: list[list[Fraction]] = []  # derivatives of [sums of p per hyperplane (k each); sum s p u^T (k n)]
    planes = sorted({(kind, number) for kind, number, _ in cell.classes})
    free = 0
    rows = {}
    for plane in planes:
        i = next(i for i, r in enumerate(cell.roles) if not isinstance(r, str) and (r[0], r[1]) == plane)
        lead = next(w for w in W1[i] if w != 0)
        rows[plane] = [fraction(w / lead) for w in W1[i]]
    for i, role in enumerate(cell.roles):
        if role == "Z":
            free += n + 1
        elif isinstance(role, str):
            free += k + 1
        else:
            free += 1  # the scale
            plane = (role[0], role[1])
            lead = next(w for w in W1[i] if w != 0)
            sign = 1 if lead > 0 else -1
            for a in range(k):
                column = [Fraction(0)] * (len(planes) * k + k * n)
                column[planes.index(plane) * k + a] = Fraction(1)
                for c in range(n):
                    column[len(planes) * k + a * n + c] = sign * rows[plane][c]
                columns.append(column)
    for plane in planes:
        if plane[0] == "fresh":
            free += 1  # the offset
            lead_at = next(c for c, w in enumerate(rows[plane]) if w != 0)
            for c in range(n):
                if c == lead_at:
                    continue
                column = [Fraction(0)] * (len(planes) * k + k * n)
                for i, role in enumerate(cell.roles):
                    if not isinstance(role, str) and (role[0], role[1]) == plane:
                        lead = next(w for w in W1[i] if w != 0)
                        for a in range(k):  # s p = q * (signed scale) = W2 * lead
                            column[len(planes) * k + a * n + c] += fraction(W2[a, i] * lead)
                columns.append(column)
    return free + len(columns) - row_rank([list(r) for r in columns])


@given(st.integers(0, 100_000))
@settings(max_examples=25)
def test_dimension_is_that_of_the_equations_at_a_random_point(seed):
    model = small(seed)
    rng = np.random.default_rng(seed)
    for units in range(normal_form(model, exact=True).folds, 5):
        found = fiber(model, units)
        if found is None:
            continue
        cells = list(found.cells(400))
        for place in rng.choice(len(cells), min(4, len(cells)), replace=False):
            assert local_dimension(found, cells[place], seed) == found.cell_dimension(cells[place]), cells[place]


@pytest.mark.parametrize(
    "truth",
    [
        network([[1], [1]], [0, -1], [[1, 1]]),
        network([[1], [-1]], [0, 1], [[1, 1]]),
        network([[1]], [0], [[1]]),
        network([[1], [-1]], [0, 0], [[1, -1]]),
    ],
)
def test_every_small_network_with_this_function_lies_in_a_listed_cell(truth):
    """All networks of three units with w, b in -1, 0, 1 and q in -2 .. 2 that agree with the truth, and their cells."""
    found = Fiber.of(truth, 3)
    listed = set(found.cells())
    kinds = [(w, b, q) for w in (-1, 0, 1) for b in (-1, 0, 1) for q in (-2, -1, 0, 1, 2)]
    x = np.array([-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0])  # kinks are at -1, 0, 1 only
    value = np.maximum(x[:, None] @ truth.W1.T + truth.b1, 0) @ truth.W2[0]
    units = np.array([q * np.maximum(w * x + b, 0) for w, b, q in kinds])
    hit = set()
    for i, j in itertools.combinations_with_replacement(range(len(kinds)), 2):
        rest = value - units[i] - units[j] - units[j:]
        for place in np.flatnonzero(np.ptp(rest, axis=1) == 0):
            chosen = [kinds[i], kinds[j], kinds[j + place]]
            order = np.random.default_rng(i * 1000 + j).permutation(3)
            W, b, q = (np.array([chosen[o][a] for o in order], dtype=float) for a in range(3))
            hit.add(found.cell_of(ShallowModel(W[:, None], b, q[None], np.array([rest[place, 0]]))))
    assert hit <= listed and len(hit) >= 5


def labelled_components(equation: FiberEquation, units: int) -> int:
    """One output: the graph of closed cells with every labelling, by steps (units that vanish, planes that meet)."""
    n, m = equation.inputs, equation.folds
    normals = [[fraction(v) for v in row] for row in equation.normals.tolist()]
    kinks = [fraction(v) for v in equation.kinks[:, 0].tolist()]
    slope = [fraction(v) for v in equation.slopes[0].tolist()]

    def left_over(roles):
        """Rank of the residual modulo mixed folds (0 or 1), mixed folds, mixed fresh planes; None if a fold is bare."""
        residual, mixed = list(slope), []
        for j in range(m):
            sides = {s for r in roles if r != "S" for (kind, g, s) in [r] if (kind, g) == ("fold", j)}
            if not sides:
                return None
            if len(sides) == 2:
                mixed.append(j)
            else:
                (s,) = sides
                residual = [v - s * kinks[j] * u for v, u in zip(residual, normals[j], strict=True)]
        span = [normals[j] for j in mixed]
        rank = row_rank([*span, residual]) - row_rank(span)
        fresh: dict = {}
        for r in roles:
            if r != "S" and r[0] == "fresh":
                fresh.setdefault(r[1], set()).add(r[2])
        both = [g for g, sides in fresh.items() if len(sides) == 2]
        return (rank, mixed, both, residual) if rank <= len(both) else None

    def tidy(roles):
        """Number fresh planes in order; a unit alone on one is a spare."""
        sizes = Counter(r[1] for r in roles if r != "S" and r[0] == "fresh")
        names: dict = {}
        out = []
        for r in roles:
            if r == "S" or r[0] == "fold":
                out.append(r)
            elif sizes[r[1]] < 2:
                out.append("S")
            else:
                out.append(("fresh", names.setdefault(r[1], len(names)), r[2]))
        return tuple(out)

    options = ["S", *(("fold", j, s) for j in range(m) for s in (1, -1))]
    options += [("fresh", g, s) for g in range(units // 2) for s in (1, -1)]
    nodes = {}
    for roles in itertools.product(options, repeat=units):
        roles = tidy(roles)
        if roles not in nodes:
            found = left_over(roles)
            if found is not None:
                nodes[roles] = found
    parent = {roles: roles for roles in nodes}

    def root(a):
        while parent[a] != a:
            a = parent[a]
        return a

    def join(a, b):
        if b in parent:
            parent[root(a)] = root(b)

    for roles, (rank, mixed, both, residual) in nodes.items():
        for i in range(units):
            join(roles, tidy((*roles[:i], "S", *roles[i + 1 :])))
        planes = sorted({r[1] for r in roles if r != "S" and r[0] == "fresh"})
        lone = rank == 1 and len(both) == 1
        for g in planes:

            def move(turn, plane, roles=roles, g=g):
                target = [r if r == "S" or r[:2] != ("fresh", g) else (*plane, turn * r[2]) for r in roles]
                return tidy(tuple(target))

            carrying = lone and g in both
            if n > 1 and not carrying:
                join(roles, move(-1, ("fresh", g)))  # the plane turns over
            for plane in [("fold", j) for j in range(m)] + [("fresh", h) for h in planes if h != g]:
                for turn in (1, -1) if n > 1 else (1,):
                    if carrying and n > 1 and plane[0] == "fold":
                        span = [normals[j] for j in mixed]
                        # v u = residual modulo the mixed folds with v > 0 on this node: u tends to turn * normal
                        ahead = [turn * v for v in normals[plane[1]]]
                        if row_rank([*span, residual, ahead]) > row_rank([*span, ahead]) or plane[1] in mixed:
                            continue
                        behind = [a + b for a, b in zip(residual, ahead, strict=True)]
                        ratio = ratio_of(span, residual, ahead)
                        assert behind is not None and ratio != 0
                        if ratio < 0:
                            continue
                    join(roles, move(turn, plane))
    return len({root(roles) for roles in nodes})


def ratio_of(span: list[list[Fraction]], a: list[Fraction], b: list[Fraction]) -> Fraction:
    """The t with a = t b modulo the span (b not in it)."""
    base = row_rank(span)
    for t in [Fraction(p, q) for p in range(-60, 61) for q in (1, 2, 3)]:
        if row_rank([*span, [u - t * v for u, v in zip(a, b, strict=True)]]) == base:
            return t
    raise AssertionError("no small ratio: choose other numbers")


CASES = [
    (network([[1], [1]], [0, -1], [[1, 3]]), (2, 3, 4)),
    (network([[1], [-1]], [-1, -1], [[1, 1]]), (2, 3, 4)),
    (network([[2], [1], [1]], [0, -1, 1], [[1, 3, -4]]), (3, 4)),
    (network([[1], [-1]], [0, 0], [[4, -2]]), (2, 3)),
    (network([[1, 0], [0, 1]], [1, 1], [[1, 1]]), (2, 3, 4)),
    (network([[1, 0], [1, 0]], [1, 3], [[1, 2]]), (2, 3, 4)),
    (network([[1, 0], [-1, 0]], [1, 3], [[1, 1]]), (2, 3, 4)),
    (network([[1, 0], [0, 1], [-1, -1]], [1, 2, 3], [[1, 1, 1]]), (3, 4)),
    (network([[1, 1], [-1, -1]], [0, 0], [[1, -1]]), (2, 3, 4)),
    (network([[1, 0, 0], [0, 1, 0]], [1, 1], [[1, 1]]), (2, 3, 4)),
    (network([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], [0, 0, 1, 1], [[1, -1, 1, -1]]), (4,)),
]


@pytest.mark.parametrize(("truth", "widths"), CASES)
def test_components_against_the_labelled_graph(truth, widths):
    equation = FiberEquation.of(normal_form(truth, exact=True))
    for units in widths:
        assert count_components(equation, units).labelled == labelled_components(equation, units), units


@pytest.mark.parametrize(
    ("truth", "units"),
    [
        *((CASES[case][0], d) for case, d in ((0, 3), (0, 4), (1, 3), (2, 4), (4, 3), (5, 4), (7, 4))),
        *((generic(1, 2, 2), 3), (generic(2, 1, 2), 4), (small(5), 3)),
    ],
)
def test_graph_of_cells_has_the_components(truth, units):
    """Steps between listed cells: the same components, where no cell has two pieces; steps lead to listed cells."""
    found = Fiber.of(truth, units)
    graph = found.graph()
    assert len(graph) == found.count
    pieces = 0
    for part in nx.connected_components(graph):
        pieces += 1
        if truth.inputs > 1 and len(part) == 1:  # alone, carrying a residual: the two signs of det V
            (cell,) = part
            state = found.equation.state(cell.signs(found.equation.folds) or ())
            pieces += bool(state.rank) and state.rank == len(cell.fresh)
    assert pieces == found.components.labelled
    for cell in graph:
        for _, moved, other in steps_down(found.equation, cell):
            assert other in graph and moved
            assert all(cell.roles[i] != "Z" for i in moved)


def test_cells_modulo_permutations():
    found = Fiber.of(reversed_pair().truth, 3)
    shapes = Counter(cell.shape(2, 1) for cell in found.cells())
    assert sum(shapes.values()) == 48 and shapes[(1, 0, 0), ((1, 0), (0, 1)), ()] == 6


def test_a_reversal_is_a_birth_and_a_death():
    """With one spare, relu(x) + relu(x - 1) doubles a fold; a cell with a mixed fold is a neighbour of pure ones."""
    found = Fiber.of(network([[1], [1]], [0, -1], [[1, 1]]), 3)
    mixed = found.cell_of(reversal_without_annihilation().model)
    with pytest.raises(InputError, match="is empty"):
        steps_down(found.equation, Cell(("Z", "Z", "Z")))
    assert steps_down(found.equation, mixed) == []  # an island: no unit can go
    doubled = Cell((("fold", 1, 1), ("fold", 1, 1), ("fold", 0, 1)))
    deaths = {moved: other for step, moved, other in steps_down(found.equation, doubled) if step == "dies"}
    assert set(deaths) == {(0,), (1,)} and deaths[0,].roles[0] == "Z"


def test_vector_outputs_by_hand():
    """x -> (x1, x2) has no folds and needs four units: two fresh hyperplanes with units on both sides."""
    identity = network([[1, 0], [-1, 0], [0, 1], [0, -1]], [0, 0, 0, 0], [[1, -1, 0, 0], [0, 0, 1, -1]], [0, 0])
    assert fiber(identity, 3) is None
    found = Fiber.of(identity, 4)
    # 4!/(2! 2! 2!) = 3 ways to pair the units; GL_2 for V modulo the lengths of the two normals, offsets, scalings
    assert found.by_dimension == {4 - 2 + 2 + 4: 3}
    assert found.components.labelled == 6 and found.components.modulo_permutations == 1
    assert cell_dimension(found.equation, Cell(("Z",) * 4)) is None


def test_bad_input_and_json():
    model = four_hyperplanes()
    for call, words in [
        (lambda: Fiber.of(model, 3), "no network with 3 units"),
        (lambda: Fiber.of(model, -1), "number of units"),
        (lambda: Fiber.of(replace(model, activation="abs"), 4), "ReLU and leaky"),
        (lambda: Fiber.of(replace(model, activation="tanh"), 4), "linear on both sides"),
        (lambda: Fiber.of(model).random_point(Cell(("Z",) * 4)), "is empty"),
        (lambda: Fiber.of(model).random_point(Cell(("Z",))), "has 1 units"),
        (lambda: Fiber.of(model).cell_of(replace(model, b2=np.ones(1))), "another function"),
        (lambda: Fiber.of(model, 5).cell_of(model), "4 units"),
        (lambda: Fiber.of(model, 4, max_states=3), "more than 3 orientations"),
        (lambda: FiberEquation.of(normal_form(model)), "exact normal form"),
    ]:
        with pytest.raises(InputError, match=words):
            call()
    data = Fiber.of(model).to_json(limit=2)
    assert data["cells"] == 96 and data["by_dimension"] == {"4": 96} and data["truncated"] is True
    assert data["list"][0] == {"roles": ["fold 0 +", "fold 1 -", "fold 2 +", "fold 3 -"], "dimension": 4}
    assert Fiber.of(model).to_json()["components_mod_permutations"] == 4


def test_many_folds_at_least_width():
    """Thirty folds and a planted zero-sum set: no enumeration of 2^30 orientations."""
    rng = np.random.default_rng(0)
    W, q = rng.integers(-50, 51, (30, 3)) / 1.0, np.ones((1, 30))
    W[29] = -W[:6].sum(axis=0)
    model = ShallowModel(W, rng.standard_normal(30), q, np.zeros(1))
    found = Fiber.of(model)
    assert found.components.modulo_permutations == reversals(model, exact=True).count >= 2
    with pytest.raises(InputError, match="orientations"):
        Fiber.of(model, 32)
