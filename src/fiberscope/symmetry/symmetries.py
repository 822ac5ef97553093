"""The symmetry group of a network: spaces, dimension, order, random elements, Lie algebra."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.activations.table import scaling_name
from fiberscope.symmetry.attention_shifts import Shift, attention_shifts
from fiberscope.symmetry.axes import INPUT, PIXEL, resolve
from fiberscope.symmetry.element import Element, identity_part, random_part
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.infer import infer
from fiberscope.symmetry.layout import Layout, columns
from fiberscope.symmetry.orbit import axis_dimension
from fiberscope.symmetry.solve import Group, solve
from fiberscope.symmetry.space import Space, scaling_of

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.lie import LieAlgebra


@dataclass(frozen=True)
class Symmetries:
    """The group of weight transformations that are known to leave the function of a network unchanged.

    ``spaces``: the hidden spaces and their groups; ``frozen``: ops that are not understood, with their nodes.
    Everything here is a sound lower bound: a symmetry that is listed is one, and more may exist.
    """

    network_name: str
    spaces: tuple[Space, ...]
    frozen: tuple[tuple[str, str], ...]
    groups: Mapping[int, Group] = field(repr=False)
    layouts: Mapping[str, Layout] = field(repr=False)
    touched: frozenset[str] = field(repr=False)
    shifts: tuple[Shift, ...] = field(default=(), repr=False)
    memory: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def axis(self) -> int:
        """Dimension of the part that acts through axes of hidden spaces (of the orbit, at generic weights)."""
        if "axis" not in self.memory:
            self.memory["axis"] = axis_dimension(self)
        return self.memory["axis"]

    @property
    def translation(self) -> int:
        """Dimension of the translations that readers absorb (a value bias into an output bias)."""
        return sum(s.dimension for s in self.shifts if s.kind == "translation")

    @property
    def invisible(self) -> int:
        """Dimension of the directions that no reader sees (a key bias under a softmax)."""
        return sum(s.dimension for s in self.shifts if s.kind == "invisible")

    @property
    def dimension(self) -> int:
        """Continuous dimension: axis + translation + invisible."""
        return self.axis + self.translation + self.invisible

    @property
    def log10_order(self) -> float:
        """log10 of the number of components of the discrete part."""
        return sum(s.log10_order for s in self.spaces)

    def identity(self) -> Element:
        """Return the element that changes nothing."""
        return Element(self, {k: identity_part(g) for k, g in self.groups.items() if not g.trivial})

    def random(self, seed: int = 0, *, power_of_two: bool = False, spread: float = 1.0) -> Element:
        """Draw an element: uniform permutations and signs, scales exp(uniform(-spread, spread)).

        ``power_of_two`` draws scales from the powers of two and no shifts, so that the copy is exact in floating point.
        """
        rng = np.random.default_rng(seed)
        parts = {
            k: random_part(g, rng, power_of_two=power_of_two, spread=spread)
            for k, g in sorted(self.groups.items())
            if not g.trivial
        }
        amounts = tuple(rng.normal(scale=spread, size=s.dimension) for s in self.shifts)
        return Element(self, parts, () if power_of_two else amounts, seed)

    def lie_algebra(self) -> LieAlgebra:
        """Return the tangent directions of the group in weight space."""
        from fiberscope.symmetry.lie import LieAlgebra

        return LieAlgebra(self)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{s.size} ({s.mixing.name}, {s.scaling})" for s in self.spaces[:4])
        more = f", and {len(self.spaces) - 4} more" if len(self.spaces) > 4 else ""
        return (
            f"Symmetries of {self.network_name}: {len(self.spaces)} spaces: {kinds}{more}\n"
            f"  continuous dimension {self.dimension}, log10 of the discrete order {self.log10_order:.1f}\n"
            f"  not understood: {', '.join(op for op, _ in self.frozen) or 'nothing'}"
        )


def symmetries(net: Network) -> Symmetries:
    """Find the symmetry group of a network from its graph.

    The group of a hidden space is the meet of what every op that touches it commutes with. Ops outside the
    rule table freeze their spaces and are named in ``frozen``.

    >>> import torch, fiberscope.network as fn
    >>> net = fn.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval(),
    ...               (torch.zeros(2, 3),))
    >>> symmetries(net).dimension
    4
    """
    inferred, weights = infer(net)
    groups = solve(inferred, weights)
    layouts = {name: tuple(resolve(a) for a in t.axes) for name, t in weights.items()}
    spaces = _spaces(groups, layouts, tuple(f"{op} at node {node}" for op, node in inferred.frozen_ops))
    touched = frozenset(name for g in groups.values() if not g.trivial for name, _, _ in g.occurrences)
    shifts = attention_shifts(net, inferred, layouts)
    moved = (
        touched
        | {s.bias for s in shifts}
        | {n for s in shifts if s.absorbed_by for n in (s.absorbed_by[0], s.absorbed_by[2])}
    )
    return Symmetries(net.name, spaces, tuple(inferred.frozen_ops), groups, layouts, moved, shifts)


def _spaces(groups: Mapping[int, Group], layouts: Mapping[str, Layout], unknown: tuple[str, ...]) -> tuple[Space, ...]:
    order = {name: i for i, name in enumerate(layouts)}
    listed = [g for g in groups.values() if not g.trivial or _worth_naming(g, unknown)]
    listed.sort(key=lambda g: (min(order[n] for n, _, _ in g.occurrences), g.atom.id))
    names = {g.atom.id: f"s{i}" for i, g in enumerate(listed)}
    out: list[Space] = []
    for group in listed:
        out.extend(_describe(group, names, layouts))
    return tuple(out)


def _worth_naming(group: Group, unknown: tuple[str, ...]) -> bool:
    """A frozen hidden space: by an op that is not understood, or read and written by weights and no input or pixels."""
    if group.atom.frozen_by in unknown and group.atom.size > 1:
        return True
    frozen = group.atom.frozen_by not in (None, INPUT, PIXEL)
    return frozen and group.read and len({n for n, _, _ in group.occurrences}) > 1


def _describe(group: Group, names: Mapping[int, str], layouts: Mapping[str, Layout]) -> list[Space]:
    """List a group as spaces: its mixing with its first scaling, then every further scaling by itself."""
    pairs = _paired(group)
    copies = math.prod(a.size for a in group.context)
    within = next((names[a.id] for a in reversed(group.context) if a.id in names), None)
    weights = tuple(dict.fromkeys((n, a) for n, a, _ in group.occurrences))
    if not pairs or not _covers(group, *pairs[0]):
        pairs.insert(0, ((), ()))
    made = []
    for k, (log, sign) in enumerate(pairs):
        first = k == 0
        mixing = group.mixing if first else Mixing.none
        made.append(
            Space(
                id=names[group.atom.id] + ("" if first else f".{k}"),
                size=group.atom.size,
                mixing=mixing,
                scaling=_name(group, log, sign),
                activation=group.atom.activations[0] if group.atom.activations else None,
                weights=weights if first else _carriers(group, log, sign),
                frozen_by=group.atom.frozen_by if group.mixing is Mixing.none else None,
                copies=copies,
                within=within,
                permuted_with=None if first else names[group.atom.id],
                atom=group.atom.id,
                context=tuple(a.id for a in group.context),
                occurrences=tuple(group.occurrences),
                log_modes=log,
                sign_modes=sign,
                orbit_dimension=_orbit(group, layouts) if mixing is Mixing.general_linear else None,
            )
        )
    return made


def _name(group: Group, log: tuple[tuple[int, ...], ...], sign: tuple[tuple[int, ...], ...]) -> str:
    if group.mixing > Mixing.permutation:
        return scaling_of(group)
    return scaling_name(bool(log), bool(sign))


Modes = tuple[tuple[int, ...], ...]


def _paired(group: Group) -> list[tuple[Modes, Modes]]:
    """Pair scaling and sign modes that act on the same weights; the pair seen by the readers comes first."""
    if group.mixing > Mixing.permutation:
        return [(tuple(group.log_modes), tuple(group.sign_modes))]
    signs = list(group.sign_modes)
    pairs: list[tuple[Modes, Modes]] = []
    for log in group.log_modes:
        twin = next((s for s in signs if tuple(bool(q % 2) for q in log) == tuple(map(bool, s))), None)
        if twin is None and len(group.log_modes) == 1 and len(signs) == 1:
            twin = signs[0]
        if twin is not None:
            signs.remove(twin)
        pairs.append(((log,), (twin,) if twin is not None else ()))
    pairs += [((), (s,)) for s in signs]
    return sorted(pairs, key=lambda p: not _covers(group, *p))


def _covers(group: Group, log: Modes, sign: Modes) -> bool:
    """Tell whether a scaling is one of the whole space: all its readers see it, or (even functions) all its writers.

    The rest scales the space in one place only, such as the gain of one norm.
    """
    if group.mixing > Mixing.permutation:
        return True
    moved = {c for c in group.charge_columns.values() if any(m[c] for m in (*log, *sign))}
    written = set(group.charge_columns.values()) - group.readers
    sides = [side for side in (group.readers, written) if side]
    return bool(log or sign) and any(side <= moved for side in sides)


def _carriers(group: Group, log: Modes, sign: Modes) -> tuple[tuple[str, int], ...]:
    moved = [(n, a) for k, (n, a, _) in enumerate(group.occurrences) if any(m[k] for m in (*log, *sign))]
    return tuple(dict.fromkeys(moved))


def _orbit(group: Group, layouts: Mapping[str, Layout]) -> int:
    """Orbit dimension of GL(n) on generic writers and readers: n^2 minus the stabiliser (n - a)(n - b).

    a and b are the numbers of written and of read columns, at most n each: M fixes W and R when
    (M - 1) W = 0 and R (M - 1) = 0.
    """
    n = group.atom.size
    context = frozenset(a.id for a in group.context)
    written = read = 0
    for k, (name, axis, leaf) in enumerate(group.occurrences):
        count = columns(layouts[name], axis, leaf, context)
        if group.log_modes[0][k] > 0:
            written += count
        else:
            read += count
    return n * n - (n - min(n, written)) * (n - min(n, read))
