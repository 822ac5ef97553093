"""The canonical member of a network's orbit under its symmetry group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from fiberscope.equivalence.canonical_order import Ordering
from fiberscope.equivalence.canonical_scale import normalise_scales
from fiberscope.symmetry.blocks import Workspace, mixes
from fiberscope.symmetry.element import to_array
from fiberscope.symmetry.symmetries import Symmetries, symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network

ORDER_TOLERANCE = 256
"""Values within this many machine epsilons of the stored dtype count as equal while units are sorted."""

ORDER_FLOOR = 1e-10
"""The same, at least: float64 scales are products of several roundings."""

MIXED_ORDER_FLOOR = 1e-7
"""The same where a space mixes: its basis comes out of a matrix inverse."""


def canonicalize(net: Network) -> Network:
    """Return the canonical equivalent of a network: the same for every member of its orbit.

    Shiftable biases become zero, scales are divided out by the largest written entry, signs fixed by the largest
    entry, units sorted by what they write, mixing spaces brought to echelon form. Idempotent; copies by permutations,
    signs and powers of two give equal bits, other scales and mixings agree up to rounding. Weights keep their dtype.

    >>> import torch, fiberscope.network as fn
    >>> net = fn.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval(),
    ...               (torch.zeros(2, 3),))
    >>> copy = symmetries(net).random(seed=1, power_of_two=True)(net)
    >>> all(torch.equal(a, b) for a, b in zip(canonicalize(net).weights.values(), canonicalize(copy).weights.values()))
    True
    """
    space = canonical_form(net)
    changed = {
        name: torch.from_numpy(np.ascontiguousarray(space.weights[name])).to(net.weights[name].dtype)
        for name in space.symmetries.touched
    }
    return net.replace(changed)


def canonical_form(net: Network, sym: Symmetries | None = None) -> Workspace:
    """Return the workspace that holds the canonical weights in float64."""
    sym = symmetries(net) if sym is None else sym
    space = Workspace(sym, {n: to_array(net.weights[n]) for n in sym.layouts})
    remove_shifts(space)
    normalise_scales(space)
    round_to_stored(space, net)
    floor = MIXED_ORDER_FLOOR if any(mixes(g) for g in sym.groups.values()) else ORDER_FLOOR
    Ordering(space, max(order_tolerance(net), floor)).run()
    return space


def remove_shifts(space: Workspace) -> None:
    """Bring every bias that may be shifted to zero; what absorbs it follows."""
    for shift in space.symmetries.shifts:
        shift.apply(space.weights, -space.weights[shift.bias][shift.entries])


def round_to_stored(space: Workspace, net: Network) -> None:
    """Round the scaled weights to their stored dtype, so that the order does not depend on bits that are lost."""
    for name in space.symmetries.touched:
        dtype = net.weights[name].dtype
        if dtype is not torch.float64:
            space.weights[name] = to_array(torch.from_numpy(space.weights[name]).to(dtype))


def order_tolerance(net: Network) -> float:
    """Return the relative gap below which two entries count as equal while sorting."""
    floats = [w.dtype for w in net.weights.values() if w.is_floating_point()]
    return ORDER_TOLERANCE * max((torch.finfo(d).eps for d in floats), default=2.0**-52)
