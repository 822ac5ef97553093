"""Connected pieces over the reals, against orbits of shears on all points over F_3, where the only units are +-1."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tests.linear.finite_fields import all_weights, ranks_mod

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode, least_barcode
from fiberscope.linear.enumeration import barcodes
from fiberscope.linear.real import bottlenecks, fiber_real_components, stratum_real_components

SMALL = [
    ((1, 1), 0), ((2, 2), 1), ((1, 1, 1), 0), ((1, 1, 1), 1), ((1, 1, 1, 1), 0), ((1, 1, 1, 1), 1),
    ((2, 2, 2), 0), ((2, 2, 2), 1), ((2, 2, 2), 2), ((2, 1, 2), 1), ((1, 2, 1), 1), ((1, 3, 1), 0),
    ((1, 2, 2, 1), 0), ((1, 2, 2, 1), 1), ((2, 1, 2, 1), 0), ((2, 1, 1, 2), 1), ((1, 2, 1, 2), 1),
    ((1, 1, 2, 2), 0), ((1, 1, 1, 1, 1), 0), ((1, 1, 2, 1, 1), 1),
]  # fmt: skip


class Points:
    """All points over F_3 of the fiber of ``diag(I_rho, 0)``."""

    def __init__(self, widths: tuple[int, ...], rho: int) -> None:
        layers = [w.astype(np.int64) for w in all_weights(widths, 3)]
        product = layers[0]
        for w in layers[1:]:
            product = w @ product % 3
        goal = np.zeros((widths[-1], widths[0]), dtype=np.int64)
        goal[range(rho), range(rho)] = 1
        inside = (product == goal).all(axis=(1, 2))
        self.widths, self.rho = widths, rho
        self.layers = [w[inside] for w in layers]
        self.codes = self.encode(self.layers)
        self.edges: list[np.ndarray] = []

    def encode(self, layers: list[np.ndarray]) -> np.ndarray:
        flat = np.concatenate([w.reshape(len(w), -1) for w in layers], axis=1) % 3
        return flat @ 3 ** np.arange(flat.shape[1])

    def join(self, layers: list[np.ndarray], where: np.ndarray | None = None) -> None:
        """Each point (of ``where``) and its image belong together."""
        codes = self.encode(layers)
        at = np.searchsorted(self.codes, codes)
        start = np.arange(len(self.codes)) if where is None else where
        assert (self.codes[at] == codes).all()
        self.edges.append(np.stack([start, at]))

    def shear(self, shears: dict[int, np.ndarray]) -> None:
        """``W_j -> g_j W_j g_{j-1}^{-1}`` with ``g_j = I + N_j``, ``N_j^2 = 0``."""
        moved = list(self.layers)
        for j, n in shears.items():
            eye = np.eye(len(n), dtype=np.int64)
            if j >= 1:
                moved[j - 1] = (eye + n) @ moved[j - 1]
            if j < len(moved):
                moved[j] = moved[j] @ (eye - n)
        self.join(moved)

    def pieces(self) -> np.ndarray:
        start, end = np.concatenate(self.edges, axis=1)
        size = len(self.codes)
        graph = coo_array((np.ones(len(start), dtype=np.int8), (start, end)), shape=(size, size))
        return connected_components(graph, directed=False)[1]

    def rank_lists(self) -> list[tuple[int, ...]]:
        columns = []
        for i in range(len(self.layers)):
            running = self.layers[i]
            for k in range(i + 1, len(self.layers) + 1):
                running = running if k == i + 1 else self.layers[k - 1] @ running % 3
                columns.append(ranks_mod(running, 3))
        return list(map(tuple, np.stack(columns, axis=1).tolist()))


def unit(size: int, a: int, b: int) -> np.ndarray:
    out = np.zeros((size, size), dtype=np.int64)
    out[a, b] = 1
    return out


def join_by_shears(points: Points) -> None:
    """Generators of the kernel of all signs: shears of the hidden layers, and of both ends such that W is kept."""
    d, rho, top = points.widths, points.rho, len(points.widths) - 1
    points.join(points.layers)
    for j in range(1, top):
        for a, b in permutations(range(d[j]), 2):
            points.shear({j: unit(d[j], a, b)})
    for a, b in permutations(range(rho), 2):
        points.shear({0: unit(d[0], a, b), top: unit(d[top], a, b)})
    for a, b in permutations(range(d[0]), 2):
        if a >= rho:  # what reaches only the null space of W
            points.shear({0: unit(d[0], a, b)})
    for a, b in permutations(range(d[top]), 2):
        if b >= rho:  # what comes only from outside the image of W
            points.shear({top: unit(d[top], a, b)})


def ranks_of(barcode: Barcode) -> tuple[int, ...]:
    top = barcode.length
    return tuple(barcode.rank(k, i) for i in range(top) for k in range(i + 1, top + 1))


@pytest.mark.parametrize(("widths", "rho"), SMALL)
def test_pieces_of_every_stratum(widths: tuple[int, ...], rho: int) -> None:
    points = Points(widths, rho)
    join_by_shears(points)
    pieces = defaultdict(set)
    for ranks, piece in zip(points.rank_lists(), points.pieces(), strict=True):
        pieces[ranks].add(piece)
    strata = list(barcodes(widths, rho))
    assert set(map(ranks_of, strata)) == set(pieces)
    for b in strata:
        assert stratum_real_components(b) == len(pieces[ranks_of(b)])


@pytest.mark.parametrize(("widths", "rho"), SMALL)
def test_pieces_of_the_fiber(widths: tuple[int, ...], rho: int) -> None:
    """Shears, and straight lines inside the fiber: one entry of one matrix changed without changing the product."""
    points = Points(widths, rho)
    join_by_shears(points)
    for j, w in enumerate(points.layers):
        for a in range(w.shape[1]):
            for b in range(w.shape[2]):
                moved = list(points.layers)
                moved[j] = w + unit(max(w.shape[1:]), a, b)[: w.shape[1], : w.shape[2]]
                product = moved[0]
                for x in moved[1:]:
                    product = x @ product % 3
                goal = np.zeros_like(product)
                goal[:, range(rho), range(rho)] = 1
                where = np.flatnonzero((product % 3 == goal).all(axis=(1, 2)))
                if len(where):
                    points.join([x[where] for x in moved], where)
    assert len(Counter(points.pieces())) == fiber_real_components(widths, rho)


@given(st.lists(st.integers(1, 6), min_size=2, max_size=8), st.data())
def test_the_fiber_has_as_many_pieces_as_its_least_stratum(widths: list[int], data: st.DataObject) -> None:
    """Every point can shrink into the least stratum, a product of GL(d_j) / GL(d_j - rho)."""
    rho = data.draw(st.integers(0, min(widths)))
    assert fiber_real_components(widths, rho) == stratum_real_components(least_barcode(widths, rho))
    assert bottlenecks(widths, rho) == tuple(j for j, d in enumerate(widths) if d == rho and 0 < j < len(widths) - 1)


@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_scalar_chains_of_nonzero_product(length: int) -> None:
    """``w_L ... w_1 = 1``: all signs but one are free."""
    assert fiber_real_components([1] * (length + 1), 1) == 2 ** (length - 1)


def test_refusals() -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        fiber_real_components([2, 1, 2], 2)
