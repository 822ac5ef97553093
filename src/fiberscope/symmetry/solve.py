"""From facts to groups: which atoms are spaces, how each may be mixed, scaled and copied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from fiberscope.symmetry.axes import Atom, Axis, Leaf, Product, Sum, leaves, resolve
from fiberscope.symmetry.charge import Charge
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.linear_systems import parity_modes, rational_modes
from fiberscope.symmetry.overlap import merge_scalars, remove_overlaps
from fiberscope.symmetry.touch import count_readings, touches
from fiberscope.symmetry.typed import Inference, Stacked, Typed

Occurrence = tuple[str, int, int]
"""Weight name, axis number, and the number of the leaf inside that axis."""


@dataclass
class Group:
    """The inferred group of one atom: mixing, scaling modes, and the atoms that its copies are indexed by.

    ``readers``: columns of the weights that read the space; ``tied``: those of them that also do something else;
    ``multiplied``: weights that enter products; ``ops``: what touches the space, in graph order.
    """

    atom: Atom
    mixing: Mixing
    occurrences: list[Occurrence] = field(default_factory=list)
    log_modes: list[tuple[int, ...]] = field(default_factory=list)
    sign_modes: list[tuple[int, ...]] = field(default_factory=list)
    context: tuple[Atom, ...] = ()
    read: bool = False
    readers: frozenset[int] = frozenset()
    pooled: bool = False
    ops: tuple[str, ...] = ()
    tied: frozenset[int] = frozenset()
    multiplied: frozenset[str] = frozenset()
    charge_columns: dict[Charge, int] = field(default_factory=dict, repr=False)

    @property
    def trivial(self) -> bool:
        """True when nothing but the identity acts."""
        mixes = self.mixing is not Mixing.none and self.atom.size > 1
        return not (mixes or self.log_modes or self.sign_modes)


def solve(inf: Inference, weights: dict[str, Typed]) -> dict[int, Group]:
    """Return the group of every atom that occurs in a weight, by atom id."""
    axes = {name: tuple(resolve(a) for a in t.axes) for name, t in weights.items()}
    contexts = _contexts(inf)
    read = {leaf.atom.find().id for a, _ in inf.facts.aligned for leaf in leaves(resolve(a))}
    silent: set[int] = set()
    while True:
        groups = _groups(inf, axes, silent)
        more = _doubly_charged(axes, groups, contexts) - silent
        if not more:
            break
        silent |= more
    remove_overlaps(groups, contexts, axes)
    merge_scalars(groups, axes)
    readings = count_readings(inf)
    pooled = {leaf.atom.id for a in inf.pooled for leaf in leaves(resolve(a))}
    touched = touches(inf)
    for key, group in groups.items():
        group.ops = tuple(touched.get(key, ()))
        group.pooled = key in pooled
        columns = {c: readings[key, charge] for charge, c in group.charge_columns.items() if (key, charge) in readings}
        group.readers = frozenset(columns)
        names = [name for name, _, _ in group.occurrences]
        group.tied = frozenset(c for c, n in columns.items() if n < inf.uses.count[names[c]])
        group.multiplied = frozenset(inf.uses.multiplied.intersection(names))
        group.context = tuple(sorted(contexts.get(key, ()), key=lambda a: a.id))
        group.read = key in read
    return groups


def _groups(inf: Inference, axes: dict[str, tuple[Axis, ...]], silent: set[int]) -> dict[int, Group]:
    """Solve the charge equations of each atom; ``silent`` atoms may not scale."""
    logs: dict[int, list[Charge]] = {}
    signs: dict[int, list[Charge]] = {}
    for store, facts in ((logs, inf.facts.zero_log), (signs, inf.facts.zero_sign)):
        for atom, charge in facts:
            for leaf in leaves(resolve(Leaf(atom, charge))):
                store.setdefault(leaf.atom.id, []).append(leaf.charge)
    groups: dict[int, Group] = {}
    charges: dict[int, list[Charge]] = {}
    for name, tree in axes.items():
        for i, axis in enumerate(tree):
            for j, leaf in enumerate(leaves(axis)):
                key = leaf.atom.id
                group = groups.setdefault(key, Group(leaf.atom, leaf.atom.mixing))
                group.occurrences.append((name, i, j))
                charges.setdefault(key, []).append(leaf.charge)
                group.charge_columns.setdefault(leaf.charge, len(group.occurrences) - 1)
    for key, group in groups.items():
        if key in silent:
            group.mixing = group.mixing.meet(Mixing.permutation)
            continue
        group.log_modes = rational_modes((c.log for c in logs.get(key, ())), [c.log for c in charges[key]])
        group.sign_modes = parity_modes((c.sign for c in signs.get(key, ())), [c.sign for c in charges[key]])
        _settle(group)
    return groups


def _settle(group: Group) -> None:
    """Keep a mixing beyond permutations only where the charges have its form."""
    if group.mixing is Mixing.general_linear:
        dual = len(group.log_modes) == 1 and all(abs(q) == 1 for q in group.log_modes[0])
        full = len(group.sign_modes) == 1 and all(group.sign_modes[0])
        if not (dual and full):
            group.mixing = Mixing.permutation
        return
    if group.mixing > Mixing.permutation:
        if group.log_modes:
            group.mixing = Mixing.permutation
        elif group.mixing is Mixing.orthogonal:
            group.sign_modes = []


def _doubly_charged(
    axes: dict[str, tuple[Axis, ...]], groups: dict[int, Group], contexts: dict[int, set[Atom]]
) -> set[int]:
    """Where two unrelated factors of one product both scale, a common number would count twice: silence the outer."""
    found: set[int] = set()

    def nested(outer: int, inner: int) -> bool:
        return any(a.id == outer for a in contexts.get(inner, ()))

    def visit(axis: Axis) -> None:
        if isinstance(axis, Product):
            scaling = [f.atom.id for f in axis.factors if isinstance(f, Leaf) and _scales(groups[f.atom.id])]
            found.update(a for i, a in enumerate(scaling) if any(not nested(a, b) for b in scaling[i + 1 :]))
        if isinstance(axis, (Product, Sum)):
            for part in axis.factors if isinstance(axis, Product) else axis.terms:
                visit(part)

    for tree in axes.values():
        for axis in tree:
            visit(axis)
    return found


def _scales(group: Group) -> bool:
    return bool(group.log_modes or group.sign_modes) or group.mixing > Mixing.permutation


def _contexts(inf: Inference) -> dict[int, set[Atom]]:
    """For each atom, the atoms that accompany it everywhere: it may differ from one of their units to the next."""
    allowed: dict[int, set[int]] = {}
    atoms: dict[int, Atom] = {}

    def constrain(leaf: Leaf, companions: Counter[int]) -> None:
        key = leaf.atom.id
        once = {a for a, n in companions.items() if n == 1 and a != key}
        allowed[key] = allowed[key] & once if key in allowed else once

    for tensor in (*(t.axes for t in _tensors(inf)), *inf.facts.together):
        axes = [resolve(a) for a in tensor]
        for i, axis in enumerate(axes):
            outside = Counter(a.id for k, other in enumerate(axes) if k != i for a in _direct(other))
            for leaf, inside in _companions(axis):
                atoms[leaf.atom.id] = leaf.atom
                constrain(leaf, outside + inside)
    for axis, batch in inf.facts.aligned:
        outside = Counter(a.id for other in batch for a in _direct(resolve(other)))
        for leaf, inside in _companions(resolve(axis)):
            constrain(leaf, outside + inside)
    out: dict[int, set[Atom]] = {}
    for key, others in allowed.items():
        keep = {a for a in others if a in atoms and (key not in allowed.get(a, ()) or a < key)}
        if keep:
            out[key] = {atoms[a] for a in keep if atoms[a].size > 1}
    return out


def _tensors(inf: Inference) -> Iterator[Typed]:
    for value in inf.env.values():
        for part in value if isinstance(value, tuple) else value.items if isinstance(value, Stacked) else (value,):
            if isinstance(part, Typed) and not part.constant:
                yield part


def _direct(axis: Axis) -> Iterator[Atom]:
    """Atoms that index every entry of the axis (not only some terms of a direct sum)."""
    if isinstance(axis, Leaf):
        yield axis.atom
    elif isinstance(axis, Product):
        for f in axis.factors:
            yield from _direct(f)


def _companions(axis: Axis) -> Iterator[tuple[Leaf, Counter[int]]]:
    """Yield every leaf with the atoms that index the same entries inside this axis."""
    if isinstance(axis, Leaf):
        yield axis, Counter()
    elif isinstance(axis, Sum):
        for term in axis.terms:
            yield from _companions(term)
    elif isinstance(axis, Product):
        for i, f in enumerate(axis.factors):
            beside = Counter(a.id for k, g in enumerate(axis.factors) if k != i for a in _direct(g))
            for leaf, inside in _companions(f):
                yield leaf, inside + beside
