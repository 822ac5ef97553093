"""Linear chains inside a model: consecutive matrices with no activation between them, cut out as a linear network.

A hidden space whose group is general linear is only ever written and read linearly, so the function depends on its
weights through products alone: two `Linear` layers in a row, a low-rank adapter ``B A``, the query-key and
value-output pairs of an attention head. With ``A`` all that writes the space (columns side by side) and ``B`` all
that reads it (rows on top of each other), every pair with the same ``B A`` computes the same function: the pair is a
point of the fiber of ``B A``. Neighbouring spaces joined by one matrix make longer chains.

A bias that writes such a space is one more column of ``A`` (the input 1), one that reads it (a key's bias) one more row
of ``B``; it ends a longer chain there. With ``biases="aside"`` they are left out and named instead: the fiber is then
that of the matrices alone, and its other points compute the same function only up to constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fiberscope.linear.unfolding import apart, unfold
from fiberscope.symmetry.groups import Mixing

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.space import Space


@dataclass(frozen=True)
class LinearChain:
    """A linear network found inside a model.

    ``factors[l]`` is ``W_{l+1}``, d_{l+1} x d_l, float64; ``weights[l]`` the tensors that it is made of; ``spaces``
    the ids of the hidden spaces between them; ``copy`` which of several copies this is (an attention head), else 0;
    ``aside`` the biases that were left out.
    """

    id: str
    factors: tuple[np.ndarray, ...]
    weights: tuple[tuple[str, ...], ...]
    spaces: tuple[str, ...]
    copy: int = 0
    aside: tuple[str, ...] = ()

    @property
    def widths(self) -> tuple[int, ...]:
        """``(d_0, ..., d_L)``."""
        return (self.factors[0].shape[1], *(w.shape[0] for w in self.factors))

    def __repr__(self) -> str:
        names = " -> ".join("+".join(group) for group in self.weights)
        return f"LinearChain {self.id}, widths {self.widths}\n  {names}"

    def to_json(self) -> dict[str, Any]:
        """Everything but the numbers."""
        return {
            "id": self.id,
            "widths": list(self.widths),
            "weights": [list(group) for group in self.weights],
            "spaces": list(self.spaces),
            "copy": self.copy,
            "aside": list(self.aside),
        }


@dataclass
class _Side:
    """All that writes one space, or all that reads it: matrices (copies, size, columns) and where they come from."""

    names: list[str] = field(default_factory=list)
    parts: list[np.ndarray] = field(default_factory=list)
    beyond: list[frozenset[int]] = field(default_factory=list)  # atoms that index the columns
    aside: list[str] = field(default_factory=list)  # biases left out

    def matrix(self, copy: int) -> np.ndarray:
        """All vectors of one copy side by side, size x columns."""
        return np.concatenate([p[copy] for p in self.parts], axis=1)


def chains(net: Network, *, biases: Literal["columns", "aside"] = "columns") -> tuple[LinearChain, ...]:
    """All linear chains of a model, in the order of the graph; heads and other copies one by one.

    >>> import torch, fiberscope as fs
    >>> two = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    >>> [chain.widths for chain in chains(fs.load(two.eval(), (torch.zeros(2, 4),)))]
    [(5, 2, 5)]

    The first width is 4 inputs and the constant 1 that carries the bias.
    """
    from fiberscope.symmetry.symmetries import symmetries

    sym = symmetries(net)
    sides: dict[int, tuple[_Side, _Side]] = {}
    spaces: dict[int, Space] = {}
    for space in sym.spaces:
        if space.mixing is Mixing.general_linear:
            found = _sides(space, net, sym.layouts, biases == "columns")
            if found is not None:
                sides[space.atom], spaces[space.atom] = found, space
    follows = {a: b for a in sides if (b := _next(a, sides)) is not None}
    out: list[LinearChain] = []
    for start in spaces:
        if start in follows.values():
            continue
        run = [start]
        while run[-1] in follows and follows[run[-1]] not in run:
            run.append(follows[run[-1]])
        out += _cut(run, sides, spaces)
    return tuple(out)


def _sides(space: Space, net: Network, layouts: Mapping[str, Any], with_biases: bool) -> tuple[_Side, _Side] | None:
    """Writers and readers of a space; None where the same numbers do both, or cannot be unfolded."""
    writers, readers = _Side(), _Side()
    for k, (name, axis, leaf) in enumerate(space.occurrences):
        if not apart(layouts[name], space.atom):
            return None
        tensor = net.weights[name].detach().cpu().double().numpy()
        try:
            part, beyond = unfold(tensor, layouts[name], axis, leaf, space.context)
        except ValueError:
            return None
        side = writers if space.log_modes[0][k] > 0 else readers
        if tensor.ndim == 1 and not with_biases:
            side.aside.append(name)
            continue
        side.names.append(name)
        side.parts.append(part)
        side.beyond.append(beyond)
    return (writers, readers) if writers.parts and readers.parts else None


def _next(atom: int, sides: Mapping[int, tuple[_Side, _Side]]) -> int | None:
    """The space that this one is carried to by a single matrix which nothing else competes with."""
    readers = sides[atom][1]
    if len(readers.parts) != 1 or len(readers.parts[0]) != 1:
        return None
    for other, (writers, _) in sides.items():
        alone = len(writers.parts) == 1 and len(writers.parts[0]) == 1
        same = alone and other != atom and writers.names == readers.names
        if same and readers.beyond[0] == {other} and writers.beyond[0] == {atom}:
            return other
    return None


def _cut(run: list[int], sides: Mapping[int, tuple[_Side, _Side]], spaces: Mapping[int, Space]) -> list[LinearChain]:
    first, last = sides[run[0]][0], sides[run[-1]][1]
    aside = tuple(dict.fromkeys(name for atom in run for side in sides[atom] for name in side.aside))
    names = tuple(spaces[atom].id for atom in run)
    copies = spaces[run[0]].copies
    out = []
    for copy in range(copies):
        factors = [first.matrix(copy)]
        factors += [sides[atom][0].matrix(0) for atom in run[1:]]
        factors.append(last.matrix(copy).T)
        weights = [tuple(first.names), *(tuple(sides[atom][0].names) for atom in run[1:]), tuple(last.names)]
        label = names[0] + (f"[{copy}]" if copies > 1 else "")
        out.append(LinearChain(label, tuple(factors), tuple(weights), names, copy, aside))
    return out
