"""Isomorphism of two networks that run the same graph: a group element g with g(a) = b.

Both networks are brought to canonical form; g undoes the one after the other. Scales that are powers of two
are recognised as such (then the match can be exact). What g predicts is then compared with b weight by weight.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.equivalence.axis_profile import AxisProfile, NotMonomial, axis_profiles
from fiberscope.equivalence.canonical import ORDER_FLOOR, order_tolerance, round_to_stored
from fiberscope.equivalence.canonical_order import Ordering
from fiberscope.equivalence.canonical_scale import normalise_scales
from fiberscope.equivalence.realign import realign
from fiberscope.equivalence.same_graph import weight_pairs
from fiberscope.equivalence.sampling import sample_inputs
from fiberscope.numerics.ulp import ulp
from fiberscope.symmetry.blocks import Workspace
from fiberscope.symmetry.element import Element, Part, to_array
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.symmetries import Symmetries, symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network

Array = NDArray[Any]

SNAP = 1e-4
"""A scale within this relative distance of a power of two is tried as that power."""


FAR = 0.01
"""Outputs that differ by more than this fraction of their size cannot come from rounding the weights."""


@dataclass(frozen=True)
class GraphMatch:
    """b = g(a) up to ``backward_error_ulp`` units in the last place of b's weights; ``exact``: bit for bit."""

    pairs: dict[str, str]
    profiles: dict[str, tuple[AxisProfile, ...]] = field(repr=False)
    exact: bool
    backward_error_ulp: float

    def steps(self) -> tuple[list[dict[str, Any]], dict[str, Array]]:
        """Return the certificate's steps and the arrays they name."""
        arrays: dict[str, Array] = {}
        steps: list[dict[str, Any]] = [{"step": "weights", "pairs": [list(p) for p in self.pairs.items()]}]
        for number, (name, axes) in enumerate(self.profiles.items()):
            if all(axis.trivial for axis in axes):
                continue
            listed = [axis.to_step(f"w{number}a{i}", arrays) for i, axis in enumerate(axes)]
            steps.append({"step": "axes", "weight": name, "axes": listed})
        return steps, arrays


def find_isomorphism(a: Network, b: Network) -> GraphMatch | None:
    """Return the match of two networks with one graph, or None when there is none that this search can find.

    Only permutations, scalings and signs are searched; bases of spaces that mix are taken as they are.
    """
    pairs = weight_pairs(a, b)
    if pairs is None:
        return None
    if not _alike(a, b):
        return None
    sym = monomial_part(symmetries(a))
    left = {n: to_array(a.weights[n]) for n in sym.layouts if n in pairs}
    right = {n: to_array(b.weights[m]) for n, m in pairs.items() if n in sym.layouts}
    if left.keys() != sym.layouts.keys():
        return None
    element = _align(sym, left, right, a)
    if element is None:
        return None
    dtypes = {n: str(b.weights[m].dtype).removeprefix("torch.") for n, m in pairs.items()}
    best: GraphMatch | None = None
    for candidate in (_snapped(element), element):
        if candidate is None:
            continue
        try:
            found = _measure(candidate, sym, left, right, pairs, dtypes)
        except NotMonomial:
            return None
        if best is None or found.backward_error_ulp < best.backward_error_ulp:
            best = found
        if best.exact:
            break
    return best


def _alike(a: Network, b: Network) -> bool:
    """Cheap first look: networks whose outputs are far apart on a few random inputs are not worth matching."""
    x = sample_inputs(a, 4, np.random.default_rng(0))
    y, z = a.run_flat(x), b.run_flat(x)
    with np.errstate(invalid="ignore"):
        far = np.abs(y - z).max(initial=0.0) > FAR * max(np.abs(y).max(initial=0.0), np.abs(z).max(initial=0.0))
    return not far


def monomial_part(sym: Symmetries) -> Symmetries:
    """Return the subgroup of permutations, scalings and signs."""
    groups = {
        k: replace(g, mixing=Mixing.permutation) if g.mixing > Mixing.permutation else g for k, g in sym.groups.items()
    }
    return replace(sym, groups=groups, shifts=(), memory={})


def _align(sym: Symmetries, left: dict[str, Array], right: dict[str, Array], net: Network) -> Element | None:
    forms = []
    for weights in (left, right):
        space = Workspace(sym, weights, track=True)
        normalise_scales(space)
        round_to_stored(space, net)
        Ordering(space, max(order_tolerance(net), ORDER_FLOOR)).run()
        forms.append(space)
    first, second = forms
    if not realign(first, second, 4 * order_tolerance(net)):
        return None
    assert first.element is not None and second.element is not None
    return second.element.inverse() @ first.element


def _snapped(element: Element) -> Element | None:
    """Round every scale to the power of two next to it; None when one is not close to any."""
    parts = {}
    for key, part in element.parts.items():
        if part.log is None:
            parts[key] = part
            continue
        near = np.exp2(np.round(np.log2(part.log)))
        if np.any(np.abs(part.log / near - 1) > SNAP):
            return None
        parts[key] = Part(part.source, near, part.sign, part.matrix)
    return replace(element, parts=parts)


def _measure(
    element: Element,
    sym: Symmetries,
    left: dict[str, Array],
    right: dict[str, Array],
    pairs: dict[str, str],
    dtypes: dict[str, str],
) -> GraphMatch:
    """Compare g(a) with b, in units in the last place of each weight of b (extended precision)."""
    profiles: dict[str, tuple[AxisProfile, ...]] = {}
    worst, exact = 0.0, True
    for name in pairs:
        axes = axis_profiles(element, sym, name)
        profiles[name] = axes
        predicted = left[name].astype(np.longdouble)
        for i, axis in enumerate(axes):
            predicted = axis.apply(predicted, i)
        target = right[name]
        difference = np.abs(predicted - target)
        if not difference.any() and all(axis.dyadic for axis in axes):
            continue
        exact = False
        zero = (target == 0) | (left_moved_zero(left[name], axes))
        if np.any(difference[zero] != 0):
            worst = float("inf")
            break
        size = ulp(target, dtypes[name])
        worst = max(worst, float(np.max(np.where(zero, 0, difference / size), initial=0.0)))
    return GraphMatch(pairs, profiles, exact, worst)


def left_moved_zero(values: Array, axes: tuple[AxisProfile, ...]) -> Array:
    """Where the moved weight of a is zero: b must be zero there too."""
    moved = values
    for i, axis in enumerate(axes):
        moved = np.take(moved, axis.source, axis=i)
    return moved == 0
