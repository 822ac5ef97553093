"""Scalings that are counted once: a space whose copies are indexed by another one already contains its scalings.

If X has a copy per unit of A, scaling the units of A by lambda[a] on entries that X also indexes is the same as
scaling copy a of X by that number. Only the scalings of A that no combination of X's imitates are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.layout import Layout, companions, leaf_paths

if TYPE_CHECKING:
    from fiberscope.symmetry.axes import Atom
    from fiberscope.symmetry.solve import Group

Mode = tuple[int, ...]


def remove_overlaps(
    groups: Mapping[int, Group], contexts: Mapping[int, set[Atom]], layouts: Mapping[str, Layout]
) -> None:
    """Drop, outer spaces last, the modes that the spaces inside them contain."""
    outer = {a.id for c in contexts.values() for a in c if a.id in groups}
    for key in sorted(outer, key=lambda k: -len(contexts.get(k, ()))):
        group = groups[key]
        inner = [groups[k] for k, c in contexts.items() if k in groups and key in {a.id for a in c}]
        inner = [g for g in inner if g.log_modes or g.sign_modes or g.mixing > Mixing.permutation]
        if not inner:
            continue
        group.mixing = group.mixing.meet(Mixing.permutation)
        if any(g.mixing > Mixing.permutation for g in inner):
            # what a head's own scaling adds to its bases has no canonical value: it is left out
            group.log_modes, group.sign_modes = [], []
            continue
        lifts_log = [_lift(m, x, group, layouts) for x in inner for m in x.log_modes]
        lifts_sign = [tuple(q % 2 for q in _lift(m, x, group, layouts)) for x in inner for m in x.sign_modes]
        group.log_modes = _outside(group.log_modes, lifts_log, _rational)
        group.sign_modes = _outside(group.sign_modes, lifts_sign, _parity)


def merge_scalars(groups: Mapping[int, Group], layouts: Mapping[str, Layout]) -> None:
    """Count scalings of single units once: on an axis of size one they multiply whole weights by numbers.

    Several axes of size one, or one and a uniform scaling of a larger space, may multiply the same weights by the
    same numbers. Only modes whose effect on the weights is new are kept.
    """
    names = {name: i for i, name in enumerate(layouts)}
    single = [g for g in groups.values() if g.atom.size == 1]
    if not single:
        return
    known_log = [_effect(m, g, names) for g in groups.values() if _whole(g, layouts) for m in g.log_modes]
    known_sign = [_effect(m, g, names) for g in groups.values() if _whole(g, layouts) for m in g.sign_modes]
    for group in single:
        group.mixing = Mixing.none
        for kind, known, reduce in (("log_modes", known_log, _rational), ("sign_modes", known_sign, _parity)):
            kept = []
            for mode in getattr(group, kind):
                effect = _effect(mode, group, names)
                if _outside([effect], known, reduce):
                    known.append(effect)
                    kept.append(mode)
            setattr(group, kind, kept)


def _whole(group: Group, layouts: Mapping[str, Layout]) -> bool:
    """True for a larger space without copies that indexes every entry of the weights that it occurs in."""
    if group.atom.size == 1 or group.context:
        return False
    return all(
        all(kind == "product" for kind, _ in list(leaf_paths(layouts[name][axis]))[leaf][1])
        for name, axis, leaf in group.occurrences
    )


def _effect(mode: Mode, group: Group, names: Mapping[str, int]) -> Mode:
    """The exponent with which a uniform field multiplies each weight."""
    total = [0] * len(names)
    for q, (name, _, _) in zip(mode, group.occurrences, strict=True):
        total[names[name]] += q
    return tuple(total)


def _lift(mode: Mode, inner: Group, outer: Group, layouts: Mapping[str, Layout]) -> Mode:
    """What a mode of the inner space does to the occurrences of the outer one."""
    exponent = dict.fromkeys(outer.occurrences, 0)
    for q, (name, axis, leaf) in zip(mode, inner.occurrences, strict=True):
        for i, j, other in companions(layouts[name], axis, leaf):
            if other.atom.id == outer.atom.id:
                exponent[name, i, j] += q
    return tuple(exponent[o] for o in outer.occurrences)


Reduce = Callable[[Sequence[int], list[tuple[int, list[Fraction]]]], list[Fraction]]


def _outside(modes: Iterable[Mode], lifts: Iterable[Mode], reduce: Reduce) -> list[Mode]:
    """Keep the modes that are independent of the lifts and of the modes kept before."""
    basis: list[tuple[int, list[Fraction]]] = []
    kept: list[Mode] = []
    for mode, own in [*((m, False) for m in lifts), *((m, True) for m in modes)]:
        row = reduce(mode, basis)
        pivot = next((i for i, x in enumerate(row) if x), None)
        if pivot is None:
            continue
        basis.append((pivot, [x / row[pivot] for x in row]))
        if own:
            kept.append(mode)
    return kept


def _rational(mode: Sequence[int], basis: list[tuple[int, list[Fraction]]]) -> list[Fraction]:
    row = [Fraction(q) for q in mode]
    for pivot, known in basis:
        if row[pivot]:
            factor = row[pivot]
            row = [x - factor * y for x, y in zip(row, known, strict=True)]
    return row


def _parity(mode: Sequence[int], basis: list[tuple[int, list[Fraction]]]) -> list[Fraction]:
    row = [Fraction(q % 2) for q in mode]
    for pivot, known in basis:
        if row[pivot]:
            row = [Fraction(int(x + y) % 2) for x, y in zip(row, known, strict=True)]
    return row
