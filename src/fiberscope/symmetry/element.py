"""Group elements: a permutation, scalings, signs or a matrix for every copy of every space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.symmetry.action import act_on, index_of
from fiberscope.symmetry.groups import Mixing

if TYPE_CHECKING:
    from fiberscope.network import Network
    from fiberscope.symmetry.solve import Group
    from fiberscope.symmetry.symmetries import Symmetries

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """The element on one space. Leading axes count the copies; ``index`` is over new positions.

    A tensor axis T of charge q becomes T'[j] = sign[j] * log[j]**q * T[source[j]], or, where the space mixes
    beyond permutations, T' = matrix @ T (readers: inverse transpose). ``log`` and ``sign`` have one row per mode.
    """

    source: Array | None = None
    log: Array | None = None
    sign: Array | None = None
    matrix: Array | None = None


@dataclass(frozen=True)
class Element:
    """A symmetry of one network: ``g(net)`` is another network that computes the same function.

    ``g @ h`` applies h first, ``g.inverse()`` undoes g, ``g.act(weights)`` works on arrays (float64, by weight name).
    """

    symmetries: Symmetries = field(repr=False)
    parts: Mapping[int, Part] = field(repr=False)
    amounts: tuple[Array, ...] = field(default=(), repr=False)
    seed: int | None = None

    def act(self, weights: Mapping[str, Array]) -> dict[str, Array]:
        """Return the transformed weights in float64; weights that no space touches are passed through."""
        out: dict[str, Array] = {}
        for name, value in weights.items():
            layout = self.symmetries.layouts.get(name)
            touched = layout is not None and name in self.symmetries.touched
            array = np.asarray(value, dtype=np.float64)
            out[name] = act_on(array, layout, self.symmetries.groups, self.parts) if touched and layout else array
        for shift, amount in zip(self.symmetries.shifts, self.amounts, strict=False):
            if shift.bias in out:
                shift.apply(out, amount)
        return out

    def _carried(self, amounts: tuple[Array, ...]) -> tuple[Array, ...]:
        """Move shifts as the biases that they belong to are moved."""
        moved = []
        for shift, amount in zip(self.symmetries.shifts, amounts, strict=False):
            layout = self.symmetries.layouts[shift.bias]
            whole = np.zeros(tuple(a.size for a in layout))
            whole[shift.entries] = amount
            moved.append(act_on(whole, layout, self.symmetries.groups, self.parts)[shift.entries])
        return tuple(moved)

    def __call__(self, net: Network) -> Network:
        """Return the network with transformed weights, in their stored dtype."""
        import torch

        arrays = {name: to_array(net.weights[name]) for name in self.symmetries.touched}
        made = self.act(arrays)
        return net.replace(
            {n: torch.from_numpy(np.ascontiguousarray(a)).to(net.weights[n].dtype) for n, a in made.items()}
        )

    def __matmul__(self, other: Element) -> Element:
        """Compose: first ``other``, then ``self``."""
        groups = self.symmetries.groups
        made = {}
        for key, group in groups.items():
            if group.trivial:
                continue
            g, h = self.parts[key], other.parts[key]
            where = index_of(group, groups, self.parts)
            copy = tuple(w[..., 0] for w in where[:-1])
            made[key] = Part(
                source=None if g.source is None or h.source is None else h.source[where],
                log=None if g.log is None or h.log is None else g.log * h.log[:, *where],
                sign=None if g.sign is None or h.sign is None else g.sign * h.sign[:, *where],
                matrix=None if g.matrix is None or h.matrix is None else g.matrix @ h.matrix[copy],
            )
        carried = self._carried(other.amounts) or tuple(np.zeros_like(t) for t in self.amounts)
        amounts = tuple(t + s for t, s in zip(self.amounts, carried, strict=True)) if self.amounts else carried
        return Element(self.symmetries, made, amounts)

    def inverse(self) -> Element:
        """Return the element that undoes this one."""
        groups = self.symmetries.groups
        made = {}
        for key, group in groups.items():
            if group.trivial:
                continue
            g = self.parts[key]
            where = index_of(group, groups, self.parts)
            shape = np.broadcast_shapes(*(w.shape for w in where))
            source = log = sign = matrix = None
            if g.source is not None:
                source = np.empty(shape, dtype=np.int64)
                source[where] = np.broadcast_to(np.arange(group.atom.size), shape)
            if g.log is not None:
                log = np.empty_like(g.log)
                log[:, *where] = 1.0 / g.log
            if g.sign is not None:
                sign = np.empty_like(g.sign)
                sign[:, *where] = g.sign
            if g.matrix is not None:
                matrix = np.empty_like(g.matrix)
                matrix[tuple(w[..., 0] for w in where[:-1])] = np.linalg.inv(g.matrix)
            made[key] = Part(source, log, sign, matrix)
        back = Element(self.symmetries, made)
        return Element(self.symmetries, made, tuple(-t for t in back._carried(self.amounts)))

    def __repr__(self) -> str:
        moved = len(self.parts)
        return (
            f"Element of the symmetry group of {self.symmetries.network_name}\n"
            f"  acts on {moved} spaces and {len(self.symmetries.touched)} weights\n"
            f"  seed {self.seed}"
        )


def to_array(tensor: Any) -> Array:
    """Return a weight as a float64 numpy array."""
    import torch

    return tensor.detach().to(torch.float64).cpu().numpy()


def random_part(group: Group, rng: np.random.Generator, *, power_of_two: bool, spread: float) -> Part:
    """Draw one element for one space: uniform permutations, log-uniform scales, well-conditioned matrices."""
    n = group.atom.size
    copies = tuple(a.size for a in group.context)
    source = matrix = None
    if group.mixing is Mixing.permutation:
        source = rng.permuted(np.broadcast_to(np.arange(n), (*copies, n)).copy(), axis=-1)
    elif group.mixing > Mixing.permutation:
        matrix = _random_matrix(group.mixing, n, copies, rng, spread)
    if matrix is not None:
        return Part(matrix=matrix)
    shape = (*copies, n)
    exponents = rng.uniform(-spread, spread, size=(len(group.log_modes), *shape))
    log = np.exp2(np.round(exponents * 3)) if power_of_two else np.exp(exponents)
    sign = rng.choice(np.array([-1.0, 1.0]), size=(len(group.sign_modes), *shape))
    return Part(source, log if group.log_modes else None, sign if group.sign_modes else None)


def _random_matrix(mixing: Mixing, n: int, copies: tuple[int, ...], rng: np.random.Generator, spread: float) -> Array:
    q = np.linalg.qr(rng.standard_normal((*copies, n, n)))[0]
    if mixing is Mixing.orthogonal:
        return q
    if mixing is Mixing.orthogonal_fixing_ones:
        frame = np.linalg.qr(np.column_stack([np.ones(n), rng.standard_normal((n, n - 1))]))[0]
        inner = np.zeros((*copies, n, n))
        inner[..., 0, 0] = 1.0
        inner[..., 1:, 1:] = np.linalg.qr(rng.standard_normal((*copies, n - 1, n - 1)))[0]
        return frame @ inner @ frame.T
    p = np.linalg.qr(rng.standard_normal((*copies, n, n)))[0]
    return q @ (np.exp(rng.uniform(-spread, spread, size=(*copies, n, 1))) * p)


def identity_part(group: Group) -> Part:
    """Return the neutral element on one space."""
    n = group.atom.size
    copies = tuple(a.size for a in group.context)
    if group.mixing > Mixing.permutation:
        return Part(matrix=np.broadcast_to(np.eye(n), (*copies, n, n)).copy())
    shape = (*copies, n)
    source = np.broadcast_to(np.arange(n), shape).copy() if group.mixing is Mixing.permutation else None
    log = np.ones((len(group.log_modes), *shape)) if group.log_modes else None
    sign = np.ones((len(group.sign_modes), *shape)) if group.sign_modes else None
    return Part(source, log, sign)
