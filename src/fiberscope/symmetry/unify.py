"""Unification of axis types: the engine that ties spaces together.

All knowledge about groups is recorded here, in three kinds of facts: two atoms are
the same (``merge``), a space's mixing is at most a group (``lower``), a charge
vanishes (``vanish``). Facts only ever shrink the group, so an op whose rule is too
strict loses symmetries and can never invent one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from fiberscope.symmetry.axes import (
    PIXEL,
    Atom,
    Axis,
    Leaf,
    Product,
    Sum,
    Uniform,
    direct_sum,
    leaves,
    product,
    resolve,
)
from fiberscope.symmetry.charge import NEUTRAL, Charge
from fiberscope.symmetry.groups import Mixing


class Mismatch(Exception):
    """Two axis structures cannot be brought to a common refinement."""


@dataclass
class Facts:
    """Everything inferred so far about one model."""

    zero_log: list[tuple[Atom, Charge]] = field(default_factory=list)
    zero_sign: list[tuple[Atom, Charge]] = field(default_factory=list)
    aligned: list[tuple[Axis, tuple[Axis, ...]]] = field(default_factory=list)
    together: list[tuple[Axis, ...]] = field(default_factory=list)
    where: str = ""
    _bases: itertools.count[int] = field(default_factory=itertools.count)

    def fresh(self, size: int) -> Leaf:
        """Return an axis about which nothing is known yet, with its own charge variable."""
        return Leaf(Atom(size), Charge.variable(next(self._bases)))

    def lower(self, axis: Axis, mixing: Mixing) -> None:
        """Allow at most ``mixing`` on every atom of the axis."""
        for leaf in leaves(resolve(axis)):
            atom = leaf.atom
            if atom.mixing is not Mixing.none and mixing is Mixing.none and atom.frozen_by is None:
                atom.frozen_by = self.where
            atom.mixing = atom.mixing.meet(mixing)

    def vanish(self, axis: Axis, *, log: bool = True, sign: bool = True) -> None:
        """Require that the axis does not scale (``log``) or does not change sign (``sign``)."""
        for leaf in leaves(resolve(axis)):
            if log and leaf.charge.log:
                self.zero_log.append((leaf.atom, leaf.charge))
            if sign and leaf.charge.sign:
                self.zero_sign.append((leaf.atom, leaf.charge))

    def freeze(self, axis: Axis) -> None:
        """Allow nothing at all on this axis."""
        self.lower(axis, Mixing.none)
        self.vanish(axis)

    def fix_pixels(self, *axes: Axis) -> None:
        """Freeze axes that count places rather than units."""
        before, self.where = self.where, PIXEL
        for axis in axes:
            self.freeze(axis)
        self.where = before

    def equal(self, a: Axis, b: Axis) -> Axis:
        """Tie two axes that are added: same atoms, same charges."""
        return self._unify(resolve(a), resolve(b), "equal")

    def multiply(self, a: Axis, b: Axis) -> Axis:
        """Tie two axes that are multiplied entrywise: same atoms, charges add, no mixing beyond permutations."""
        return self._unify(resolve(a), resolve(b), "multiply")

    def contract(self, a: Axis, b: Axis, batch: tuple[Axis, ...] = ()) -> None:
        """Tie two axes that are summed over: same atoms, opposite charges; ``batch`` axes run alongside."""
        a = resolve(a)
        self.aligned.append((a, batch))
        self._unify(a, resolve(b), "contract")

    def apart(self, *axes: Axis) -> None:
        """Note that these axes of a tensor cannot follow its other axes, along which entries are mixed or moved.

        A space may have one group element per unit of another only where both run side by side all the way.
        """
        self.together.append(axes)

    def _unify(self, a: Axis, b: Axis, mode: str) -> Axis:
        try:
            return self._match(a, b, mode)
        except Mismatch:
            self.freeze(a)
            self.freeze(b)
            return Leaf(Atom(a.size, Mixing.none, self.where))

    def _match(self, a: Axis, b: Axis, mode: str) -> Axis:
        a, b = resolve(a), resolve(b)
        if a.size != b.size:
            raise Mismatch
        if isinstance(a, Uniform) or isinstance(b, Uniform):
            return self._match_uniform(a, b, mode)
        if isinstance(a, Leaf) and isinstance(b, Leaf):
            return self._match_leaves(a, b, mode)
        if isinstance(a, Leaf) or isinstance(b, Leaf):
            if isinstance(a, Leaf):
                self._bind(a, b)
            elif isinstance(b, Leaf):
                self._bind(b, a)
            return self._match(a, b, mode)
        if isinstance(a, Sum) or isinstance(b, Sum):
            return self._match_sums(a, b, mode)
        return self._match_products(a, b, mode)

    def _match_uniform(self, a: Axis, b: Axis, mode: str) -> Axis:
        other = b if isinstance(a, Uniform) else a
        if mode != "multiply" and not isinstance(other, Uniform):
            self.lower(other, Mixing.permutation)
            self.vanish(other)
        return other

    def _match_leaves(self, a: Leaf, b: Leaf, mode: str) -> Leaf:
        x, y = a.atom, b.atom
        if x is not y:
            if y.id < x.id:
                x, y = y, x
            y.parent = x
            met = x.mixing.meet(y.mixing)
            if met is Mixing.none:
                x.frozen_by = x.frozen_by or y.frozen_by or self.where
            x.mixing = met
            x.activations += [n for n in y.activations if n not in x.activations]
        if mode == "multiply":
            if not (a.charge.trivial and b.charge.trivial and x.mixing is Mixing.none):
                x.mixing = x.mixing.meet(Mixing.permutation)
            return Leaf(x, a.charge + b.charge)
        difference = a.charge - b.charge if mode == "equal" else a.charge + b.charge
        if difference.log:
            self.zero_log.append((x, difference))
        if difference.sign:
            self.zero_sign.append((x, difference))
        return Leaf(x, a.charge)

    def _bind(self, leaf: Leaf, tree: Axis) -> None:
        """Give an unstructured atom the structure of ``tree`` (its atoms are shared)."""
        atom = leaf.atom
        if any(other.atom is atom for other in leaves(tree)):
            raise Mismatch
        assert isinstance(tree, (Product, Sum))
        parts = tuple(_neutral(p) for p in (tree.factors if isinstance(tree, Product) else tree.terms))
        if atom.mixing < Mixing.general_linear:
            before, self.where = self.where, atom.frozen_by or self.where
            for part in parts:
                self.lower(part, atom.mixing if atom.mixing <= Mixing.permutation else Mixing.permutation)
            self.where = before
        atom.kind = "product" if isinstance(tree, Product) else "sum"
        atom.parts = parts

    def _match_sums(self, a: Axis, b: Axis, mode: str) -> Axis:
        left: list[Axis] = list(a.terms) if isinstance(a, Sum) else [a]
        right: list[Axis] = list(b.terms) if isinstance(b, Sum) else [b]
        done: list[Axis] = []
        while left and right:
            n = min(left[0].size, right[0].size)
            (x, left), (y, right) = self._head(left, n), self._head(right, n)
            done.append(self._match(x, y, mode))
        if left or right:
            raise Mismatch
        return direct_sum(done)

    def _head(self, terms: list[Axis], n: int) -> tuple[Axis, list[Axis]]:
        if terms[0].size == n:
            return terms[0], terms[1:]
        first, rest = self.cut(terms[0], n)
        more = list(rest.terms) if isinstance(rest, Sum) else [rest]
        return first, [*more, *terms[1:]]

    def _match_products(self, a: Axis, b: Axis, mode: str) -> Axis:
        left = list(a.factors) if isinstance(a, Product) else [a]
        right = list(b.factors) if isinstance(b, Product) else [b]
        done: list[Axis] = []
        while left and right:
            x, y = resolve(left[0]), resolve(right[0])
            if x.size != y.size and 1 in (x.size, y.size):
                self.vanish(x if x.size == 1 else y)
                left, right = (left[1:], right) if x.size == 1 else (left, right[1:])
            elif x.size == y.size:
                done.append(self._match(x, y, mode))
                left, right = left[1:], right[1:]
            elif x.size > y.size:
                left = [*self._factors(self.split(x, y.size)), *left[1:]]
            else:
                right = [*self._factors(self.split(y, x.size)), *right[1:]]
        for rest in (*left, *right):
            if rest.size != 1:
                raise Mismatch
            self.vanish(rest)
        return product(done)

    @staticmethod
    def _factors(pair: tuple[Axis, Axis]) -> list[Axis]:
        made = product(pair)
        return list(made.factors) if isinstance(made, Product) else [made]

    def cut(self, axis: Axis, n: int) -> tuple[Axis, Axis]:
        """Cut an axis into its first ``n`` entries and the rest."""
        axis = resolve(axis)
        total = axis.size
        if n in (0, total):
            return (axis, Uniform(0)) if n else (Uniform(0), axis)
        match axis:
            case Uniform():
                return Uniform(n), Uniform(total - n)
            case Leaf(atom, charge):
                before = (Leaf(Atom(n)), Leaf(Atom(total - n)))
                self._bind(axis, Sum(before))
                made = resolve(Leaf(atom, charge))
                assert isinstance(made, Sum)
                return made.terms[0], made.terms[1]
            case Sum(terms):
                for i, t in enumerate(terms):
                    if n < t.size:
                        head, tail = self.cut(t, n) if n else (Uniform(0), t)
                        return direct_sum([*terms[:i], head]), direct_sum([tail, *terms[i + 1 :]])
                    n -= t.size
                raise Mismatch
            case Product(factors):
                rest = product(factors[1:])
                if n % rest.size:
                    raise Mismatch
                head, tail = self.cut(factors[0], n // rest.size)
                return product([head, rest]), product([tail, rest])

    def split(self, axis: Axis, outer: int) -> tuple[Axis, Axis]:
        """Write an axis as a product whose first factor has size ``outer``."""
        axis = resolve(axis)
        total = axis.size
        if outer == 1:
            return Uniform(1), axis
        if outer == total:
            return axis, Uniform(1)
        if total % outer:
            raise Mismatch
        inner = total // outer
        match axis:
            case Uniform():
                return Uniform(outer), Uniform(inner)
            case Leaf(atom, charge):
                pair = (Leaf(Atom(outer)), Leaf(Atom(inner)))
                self._bind(axis, Product(pair))
                made = resolve(Leaf(atom, charge))
                assert isinstance(made, Product)
                return made.factors[0], made.factors[1]
            case Product(factors):
                taken = 1
                for i, f in enumerate(factors):
                    if taken * f.size >= outer:
                        if outer % taken:
                            raise Mismatch
                        head, tail = self.split(f, outer // taken)
                        return product([*factors[:i], head]), product([tail, *factors[i + 1 :]])
                    taken *= f.size
                raise Mismatch
            case Sum(terms):
                heads: list[Axis] = []
                shared: Axis | None = None
                for t in terms:
                    if t.size % inner:
                        raise Mismatch
                    head, tail = self.split(t, t.size // inner)
                    heads.append(head if head.size > 1 else Leaf(Atom(1, Mixing.none, self.where), NEUTRAL))
                    shared = tail if shared is None else self._match(shared, tail, "equal")
                assert shared is not None
                return direct_sum(heads), shared


def _neutral(axis: Axis) -> Axis:
    """Strip the charges: what remains is structure alone."""
    match axis:
        case Leaf(atom, _):
            return Leaf(atom)
        case Uniform(n):
            return Leaf(Atom(n, Mixing.permutation))
        case Product(factors):
            return Product(tuple(_neutral(f) for f in factors))
        case Sum(terms):
            return Sum(tuple(_neutral(t) for t in terms))
