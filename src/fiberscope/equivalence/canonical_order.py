"""Canonical order and signs: sort the units of every space by what they write.

Spaces are settled in dependency order: a block is a feature of a space once every other axis of it
is settled. Values closer than a tolerance count as equal while sorting, so that rounding does not
decide the order; units that stay equal are told apart by what reads them, once that is settled.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.equivalence.canonical_gauge import gauge
from fiberscope.equivalence.canonical_signs import fix_signs, remaining_signs, signs_by_parts
from fiberscope.equivalence.canonical_ties import break_ties
from fiberscope.symmetry.action import mode_exponents
from fiberscope.symmetry.axes import Leaf
from fiberscope.symmetry.blocks import Block, Workspace, mixes, per_copy, positions
from fiberscope.symmetry.element import Part
from fiberscope.symmetry.groups import Mixing

Array = NDArray[Any]


class Ordering:
    """State of the canonical order: which units are told apart, and whose signs are fixed."""

    def __init__(self, space: Workspace, tolerance: float) -> None:
        self.space = space
        self.tolerance = tolerance
        self.groups = {k: g for k, g in space.symmetries.groups.items() if not g.trivial}
        self.classes: dict[int, Array] = {}
        self.unsigned: dict[int, Array] = {}
        self.open: set[int] = set(self.groups)
        self.baseless: set[int] = set()
        for key, group in self.groups.items():
            shape = (*(a.size for a in group.context), group.atom.size)
            start = np.zeros(shape, dtype=np.int64)
            if group.mixing is Mixing.none:
                start = np.broadcast_to(np.arange(group.atom.size), shape).copy()
            self.classes[key] = start
            self.unsigned[key] = np.full((len(group.sign_modes), *shape), not mixes(group))

    def run(self) -> None:
        """Settle every space, then break the remaining ties."""
        self._sweep(ambiguous=False)
        remaining_signs(self)
        self._sweep(ambiguous=True)
        remaining_signs(self)
        break_ties(self)

    def copy(self) -> Ordering:
        """Return an ordering that goes its own way from here."""
        made = copy(self)
        made.space = copy(self.space)
        made.space.weights = dict(self.space.weights)
        made.classes = {k: c.copy() for k, c in self.classes.items()}
        made.unsigned = {k: u.copy() for k, u in self.unsigned.items()}
        return made

    def refine(self) -> None:
        """Sort tied units by what has been settled since, and fix signs, until nothing changes."""
        while True:
            tied = [k for k in self.groups if self._tied(k) and not mixes(self.groups[k])]
            before = {k: self.classes[k].copy() for k in tied}
            for key in tied:
                self._settle(key, ambiguous=True)
            remaining_signs(self)
            if all(np.array_equal(before[k], self.classes[k]) for k in tied) and not signs_by_parts(self):
                return

    def tied_class(self) -> tuple[int, Array] | None:
        """Return a space and the flat places of the first units in it that are tied and not interchangeable."""
        for key, group in self.groups.items():
            if mixes(group) or not self._tied(key) or self._interchangeable(key):
                continue
            n = group.atom.size
            for copy_number, labels in enumerate(self.classes[key].reshape(-1, n)):
                values, counts = np.unique(labels, return_counts=True)
                if (counts > 1).any():
                    members = np.flatnonzero(labels == values[np.argmax(counts > 1)])
                    return key, copy_number * n + members
        return None

    def set_apart(self, key: int, member: int) -> None:
        """Put one unit before the others of its class."""
        n = self.groups[key].atom.size
        labels = self.classes[key].reshape(-1, n)[member // n]
        own = labels[member % n]
        labels[(labels >= own) & (np.arange(n) != member % n)] += 1
        self._sort(key, np.zeros((*self.classes[key].shape, 1)))

    def _sweep(self, *, ambiguous: bool) -> None:
        progress = True
        while self.open and progress:
            progress = False
            for key in list(self.open_in_order()):
                if self._settle(key, ambiguous=ambiguous):
                    self.open.discard(key)
                    progress = True

    def open_in_order(self) -> list[int]:
        """Return the open spaces, those that index no open space first."""
        outer = {c.id for k in self.open for c in self.groups[k].context}
        ready = [k for k in self.groups if k in self.open and k not in outer]
        return ready or [k for k in self.groups if k in self.open]

    def _tied(self, key: int) -> bool:
        if mixes(self.groups[key]):
            return key in self.baseless
        classes = self.classes[key]
        return classes.shape[-1] > 1 and bool((np.diff(np.sort(classes, axis=-1), axis=-1) == 0).any())

    def _settle(self, key: int, *, ambiguous: bool) -> bool:
        """Sort one space by the blocks that are settled; False when there is none."""
        group = self.groups[key]
        usable = [b for b in self.space.blocks(key) if len(positions(b, key)) == 1]
        clear = [b for b in usable if self.clear(b, key)]
        if not clear and not ambiguous:
            return False
        if mixes(group):
            if gauge(self.space, key, clear):
                return True
            if ambiguous:
                self.baseless.add(key)
            return ambiguous
        fix_signs(self, key)
        if group.mixing is not Mixing.permutation:
            return True
        clear = [b for b in self.space.blocks(key) if len(positions(b, key)) == 1 and self.clear(b, key)]
        features = [self._feature(b, key) for b in clear]
        if ambiguous:
            features += [self._blurred(b, key) for b in usable if not self.clear(b, key)]
        if features:
            self._sort(key, np.concatenate([_unit(f) for f in features], axis=-1))
        return True

    def clear(self, block: Block, key: int, *, signs: bool = True) -> bool:
        """True when every other axis of the block has a settled order and, with ``signs``, settled signs."""
        context = {c.id for c in self.groups[key].context}
        for axis, leaf in enumerate(block.axes):
            if not isinstance(leaf, Leaf) or leaf.atom.id == key or leaf.atom.id not in self.groups:
                continue
            other = leaf.atom.id
            if other in context:
                continue
            if other in self.open or (self._tied(other) and not self._twins(block, axis, other)):
                return False
            parities = mode_exponents(leaf, self.groups[other])[1]
            if signs and any(odd and self.unsigned[other][m].any() for m, odd in enumerate(parities)):
                return False
        return True

    def _twins(self, block: Block, axis: int, key: int) -> bool:
        """True when units that are still tied have equal entries in this block: their order does not matter."""
        group = self.groups[key]
        if mixes(group) or group.context:
            return False
        rows = np.moveaxis(block.values, axis, 0).reshape(group.atom.size, -1)
        labels = self.classes[key]
        return all(self._alike(rows[labels == label]) for label in np.unique(labels))

    def _alike(self, rows: Array) -> bool:
        """True when all rows are equal up to the tolerance."""
        size = np.abs(rows).max(initial=0.0)
        return bool((np.abs(rows - rows[0]) <= self.tolerance * size).all())

    def _feature(self, block: Block, key: int) -> Array:
        """Return the entries of each unit, absolute where the unit's own sign is open."""
        group = self.groups[key]
        place = positions(block, key)[0]
        rows = per_copy(block, place, group)
        leaf = block.axes[place]
        assert isinstance(leaf, Leaf)
        parities = mode_exponents(leaf, group)[1]
        hidden = np.zeros(rows.shape[:-1], dtype=bool)
        for m, odd in enumerate(parities):
            if odd:
                hidden |= self.unsigned[key][m]
        return np.where(hidden[..., None], np.abs(rows), rows)

    def _blurred(self, block: Block, key: int) -> Array:
        """Return each unit's entries up to the orders and signs that are still open: sorted sizes per class."""
        group = self.groups[key]
        place = positions(block, key)[0]
        home = {a.atom.id: k for k, a in enumerate(block.axes) if isinstance(a, Leaf)}
        front = {place, *(home[c.id] for c in group.context)}
        label = np.zeros((1,) * block.values.ndim, dtype=np.int64)
        for i, leaf in enumerate(block.axes):
            if i in front:
                continue
            n = block.values.shape[i]
            own = np.arange(n)
            if isinstance(leaf, Leaf) and leaf.atom.id in self.groups:
                classes = self.classes[leaf.atom.id]
                own = np.zeros(n, dtype=np.int64) if mixes(self.groups[leaf.atom.id]) else classes.reshape(-1, n).min(0)
            label = label * n + own.reshape([-1 if k == i else 1 for k in range(block.values.ndim)])
        labels = Block(block.weight, np.broadcast_to(label, block.values.shape), block.axes)
        rows = np.abs(per_copy(block, place, group))
        order = np.lexsort((rows, per_copy(labels, place, group)), axis=-1)
        return np.take_along_axis(rows, order, axis=-1)

    def _sort(self, key: int, features: Array) -> None:
        """Refine the classes of a space by features and move its units into their order."""
        group = self.groups[key]
        n = group.atom.size
        flat = features.reshape(-1, n, features.shape[-1])
        classes = self.classes[key].reshape(-1, n).copy()
        source = np.empty_like(classes)
        for k in range(flat.shape[0]):
            source[k], classes[k] = rank_rows(flat[k], classes[k], self.tolerance)
        shape = self.classes[key].shape
        self.classes[key] = classes.reshape(shape)
        source = source.reshape(shape)
        if self.unsigned[key].size:
            index = np.broadcast_to(source, self.unsigned[key].shape)
            self.unsigned[key] = np.take_along_axis(self.unsigned[key], index, axis=-1)
        if (source != np.arange(n)).any():
            self._carry(key, source)
            self.space.apply(key, Part(source=source))

    def _carry(self, key: int, source: Array) -> None:
        """Move the state of the spaces whose copies this space indexes."""
        for other, group in self.groups.items():
            where = [i for i, c in enumerate(group.context) if c.id == key]
            if where and source.ndim == 1:
                self.classes[other] = np.take(self.classes[other], source, axis=where[0])
                self.unsigned[other] = np.take(self.unsigned[other], source, axis=where[0] + 1)

    def _interchangeable(self, key: int) -> bool:
        """True when units in one class have equal entries everywhere: any order gives the same weights."""
        group = self.groups[key]
        n = group.atom.size
        for block in self.space.blocks(key):
            for place in positions(block, key):
                rows = per_copy(block, place, group).reshape(-1, n, block.values.size // max(1, self.classes[key].size))
                for k, labels in enumerate(self.classes[key].reshape(-1, n)):
                    for label in np.unique(labels):
                        if not self._alike(rows[k][labels == label]):
                            return False
        return True


def _unit(features: Array) -> Array:
    """Divide by the largest entry, so that one tolerance fits all blocks."""
    largest = np.abs(features).max(initial=0.0)
    return features / largest if largest else features


def rank_rows(rows: Array, classes: Array, tolerance: float) -> tuple[Array, Array]:
    """Sort rows inside their classes, column by column; return the order and the refined classes in that order.

    Values of a column are cut into runs where the gap exceeds ``tolerance`` (entries are at most 1 in size).
    Rows equal within the tolerance keep one class and are ordered by their exact entries.
    """
    order = np.argsort(classes, kind="stable")
    labels = classes[order]
    for j in range(rows.shape[1]):
        tied = _tied_mask(labels)
        if not tied.any():
            break
        members = np.flatnonzero(tied)
        column = rows[order[members], j]
        runs = _runs(column, tolerance)
        if runs.max(initial=0) == 0:
            continue
        sub = np.lexsort((runs, labels[members]))
        order[members] = order[members][sub]
        key = np.stack([labels[members][sub], runs[sub]])
        fresh = np.zeros(len(labels), dtype=np.int64)
        fresh[members] = np.concatenate([[0], np.cumsum((np.diff(key) != 0).any(axis=0))])
        pair = np.stack([labels, fresh])
        labels = np.concatenate([[0], np.cumsum((np.diff(pair) != 0).any(axis=0))])
    tied = _tied_mask(labels)
    if tied.any():
        for label in np.unique(labels[tied]):
            members = np.flatnonzero(labels == label)
            exact = np.lexsort(rows[order[members]].T[::-1])
            order[members] = order[members][exact]
    return order, labels


def _tied_mask(labels: Array) -> Array:
    same = np.diff(labels) == 0
    return np.concatenate([[False], same]) | np.concatenate([same, [False]])


def _runs(values: Array, width: float) -> Array:
    """Number the runs of sorted values that are separated by more than ``width``."""
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order]) > width
    runs = np.empty(len(values), dtype=np.int64)
    runs[order] = np.concatenate([[0], np.cumsum(steps)])
    return runs
