"""A random equivalent network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiberscope.symmetry.symmetries import symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network


def randomize(net: Network, seed: int = 0, *, power_of_two: bool = False) -> Network:
    """Return another network that computes the same function: a random member of the orbit.

    Weights are rounded to their stored dtype; with ``power_of_two`` scales the copy is exact.

    >>> import torch, fiberscope.network as fn
    >>> net = fn.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval(),
    ...               (torch.zeros(2, 3),))
    >>> randomize(net, seed=1).run_flat([[1.0, 2.0, 3.0]]).shape
    (1, 2)
    """
    return symmetries(net).random(seed, power_of_two=power_of_two)(net)
