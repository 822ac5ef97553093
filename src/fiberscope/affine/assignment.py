"""One layer at a time: the linear assignment with the best flip of each unit inside its cost, and lower bounds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from fiberscope.affine.dag import DagNetwork
from fiberscope.affine.dense import Dense
from fiberscope.affine.group import bundles
from fiberscope.numerics.tolerance import EVALUATION_NOISE


@dataclass(frozen=True, eq=False)
class Block:
    """Exchangeable bundles: ``members[m][j]`` is member m of bundle j; ``switches`` are members turned round together.

    ``inner``: whether members read each other (then one assignment is not exact).
    """

    members: tuple[np.ndarray, ...]
    switches: tuple[tuple[int, ...], ...]
    movable: bool
    inner: bool

    @property
    def count(self) -> int:
        """Number of bundles."""
        return len(self.members[0])

    @property
    def free(self) -> bool:
        """Whether anything can move."""
        return (self.movable and self.count > 1) or bool(self.switches)

    @property
    def units(self) -> np.ndarray:
        """All units of the block."""
        return np.concatenate(self.members)

    def options(self) -> list[tuple[int, ...]]:
        """Sets of members that may be turned round at once (all combinations of at most 6 switches)."""
        choices = product((False, True), repeat=min(len(self.switches), 6))
        return [
            tuple(m for switch, on in zip(self.switches, chosen, strict=False) if on for m in switch)
            for chosen in choices
        ]

    def assign(self, a: Dense, b: Dense, state: tuple[np.ndarray, np.ndarray], incoming_only: bool = False) -> None:
        """Put every bundle of b at its best place, all other layers as they are; the state is changed in place."""
        order, turned = state
        reset, calm = order.copy(), turned.copy()
        for places in self.members:
            reset[places] = places
            calm[places] = False
        weight, bias = b.moved(reset, calm)
        if self.inner:  # columns of the block itself as they stand now
            now = b.moved(order, turned)[0]
            inside = b.n_inputs + self.units
            back = np.argsort(order)
            weight[np.ix_(self.units, inside)] = now[np.ix_(back[self.units], inside)]
        options = self.options()
        stacked = np.stack([self.switched(a, b, weight, bias, option, incoming_only) for option in options])
        which = stacked.argmin(axis=0)
        chosen = self.solve(stacked.min(axis=0))
        for places in self.members:
            order[places] = places[chosen]
            turned[places] = False
        for k, j in enumerate(chosen):
            for m in options[which[k, j]]:
                turned[self.members[m][j]] = True

    def solve(self, cost: np.ndarray) -> np.ndarray:
        """The cheapest bundle for every place (the identity for bundles that may not move)."""
        from scipy.optimize import linear_sum_assignment

        if not self.movable:
            return np.arange(self.count)
        rows, columns = linear_sum_assignment(cost)
        return columns[np.argsort(rows)]

    def switched(
        self, a: Dense, b: Dense, weight: np.ndarray, bias: np.ndarray, option: tuple[int, ...], incoming_only: bool
    ) -> np.ndarray:
        """Cost [place, bundle] of every placement when the members in ``option`` are turned round."""
        n, total = b.n_inputs, np.zeros((self.count, self.count))
        outside = np.setdiff1d(np.arange(len(bias)), self.units)
        for m, places in enumerate(self.members):
            on = m in option
            sign = -1.0 if on else 1.0
            shifted = b.gamma[places] - bias[places] if on else bias[places]
            total += squared(a.weight[places], sign * weight[places])
            total += (a.bias[places][:, None] - shifted[None, :]) ** 2
            if not incoming_only:
                lam = b.lam[places] if on else np.ones(len(places))
                column = weight[np.ix_(outside, n + places)] / lam
                total += squared(a.weight[np.ix_(outside, n + places)].T, column.T)
        return total


def squared(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Squared distances [i, j] between rows: by differences, or for many rows by inner products, which cancel."""
    if len(left) * right.size <= 4_000_000:
        return ((left[:, None, :] - right[None, :, :]) ** 2).sum(axis=2)
    sizes = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right)[None, :]
    return np.maximum(sizes - 2.0 * (left @ right.T), 0.0)


def blocks_of(net: DagNetwork) -> list[Block]:
    """The groups of exchangeable bundles of a network, in the order of its units.

    >>> [block.count for block in blocks_of(DagNetwork.from_layers([(np.eye(3), None), (np.ones((1, 3)), None)]))]
    [3]
    """
    out = []
    for group in bundles(net).values():
        ordered = [sorted(bundle.units) for bundle in group]
        members = tuple(np.array(column) for column in zip(*ordered, strict=True))
        switches = tuple(tuple(ordered[0].index(u) for u in flip) for flip in group[0].flips)
        inside = {net.n_inputs + u for units in ordered for u in units}
        inner = any(p in inside for units in ordered for u in units for p in net.units[u].row.parents)
        out.append(Block(members, switches, not group[0].frozen, inner))
    return sorted(out, key=lambda block: int(block.units.min()))


def lower_bound(a: Dense, b: Dense, blocks: list[Block]) -> float:
    """A number below ``min over g of |a - g b|^2``: every part of the matrix minimised on its own.

    Between a free layer and fixed nodes the assignment is exact. Between two free layers every row is compared with
    every row after sorting absolute values (which no flip or relabelling of the columns can beat), half of it charged
    to either layer; or, if that is better, by singular values (Mirsky), which signed permutations keep.
    """
    n, u = b.n_inputs, b.n_units
    free = [block for block in blocks if block.free]
    owner = np.full(n + u, -1)
    for k, block in enumerate(free):
        owner[n + block.units] = k
    shifting = (np.abs(b.weight[:, n:]) @ (b.mu != 0)) > 0
    shifting |= (np.abs(a.weight[:, n:]) @ (b.mu != 0)) > 0
    row_owner = np.concatenate([owner[n:], np.full(len(b.bias) - u, -1)])
    still = row_owner < 0
    known = np.where(shifting, 0.0, (a.bias - b.bias) ** 2)
    base = float(known[still].sum()) + float(((a.weight - b.weight)[np.ix_(still, owner < 0)] ** 2).sum())
    exactly, split, spectral = base, base, 0.0
    for k, block in enumerate(free):
        exact_part, shared = _layer(a, b, block, k, owner, row_owner, shifting)
        exactly += _cheapest(block, exact_part)
        split += _cheapest(block, exact_part + shared)
        for other, _ in enumerate(free):
            rows, columns = np.flatnonzero(row_owner == k), np.flatnonzero(owner == other)
            if other != k and len(rows) and len(columns):
                left, right = a.weight[np.ix_(rows, columns)], b.weight[np.ix_(rows, columns)]
                spectral += _spectral(left, right)
    size = sum(float((net.weight**2).sum() + (net.bias**2).sum()) for net in (a, b))
    return max(0.0, max(split, exactly + spectral) - EVALUATION_NOISE * size)


def _cheapest(block: Block, cost: np.ndarray) -> float:
    chosen = block.solve(cost)
    return float(cost[np.arange(block.count), chosen].sum())


def _layer(
    a: Dense, b: Dense, block: Block, k: int, owner: np.ndarray, row_owner: np.ndarray, shifting: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Costs [place, bundle]: exact against fixed nodes (best flips inside); half the relaxed cost of free layers."""
    n = b.n_inputs
    fixed, still = owner < 0, row_owner < 0
    choices = []
    for option in block.options():
        total = np.zeros((block.count, block.count))
        for m, places in enumerate(block.members):
            on = m in option
            sign = -1.0 if on else 1.0
            total += squared(a.weight[np.ix_(places, fixed)], sign * b.weight[np.ix_(places, fixed)])
            shifted = b.gamma[places] - b.bias[places] if on else b.bias[places]
            surely = ~shifting[places]
            if surely.all():
                total += (a.bias[places][:, None] - shifted[None, :]) ** 2
            lam = b.lam[places] if on else np.ones(len(places))
            columns = np.ix_(still, n + places)
            total += squared(a.weight[columns].T, (b.weight[columns] / lam).T)
        choices.append(total)
    shared = np.zeros((block.count, block.count))
    for places in block.members:
        for other in set(owner.tolist()) - {-1, k}:
            columns = np.flatnonzero(owner == other)
            shared += 0.5 * squared(
                _profile(a.weight[np.ix_(places, columns)]), _profile(b.weight[np.ix_(places, columns)])
            )
            rows = np.flatnonzero(row_owner == other)
            left, right = a.weight[np.ix_(rows, n + places)].T, b.weight[np.ix_(rows, n + places)].T
            shared += 0.5 * squared(_profile(left), _profile(right))
    return np.min(choices, axis=0), shared


def _profile(rows: np.ndarray) -> np.ndarray:
    return np.sort(np.abs(rows), axis=1)


def _spectral(left: np.ndarray, right: np.ndarray) -> float:
    p, q = (np.linalg.svd(m, compute_uv=False) for m in (left, right))
    sorted_gap = ((np.sort(np.abs(left).ravel()) - np.sort(np.abs(right).ravel())) ** 2).sum()
    return max(float(((p - q) ** 2).sum()), float(sorted_gap))
