r"""Fingerprints: one text for equality, one list of numbers for closeness.

The text is a hash of the canonical form, so that it is the same for every copy by permutations, signs and
powers of two. No canonical form is continuous (an order of units cannot be chosen continuously), so closeness
needs the sketch: sums over all entries of |w|, w^2 and |w|^3 after the scales are divided out, and singular
values of W_read W_write where a space mixes. These do not depend on order, sign or basis and are continuous.
Reference: Dym, Lawrence and Siegel, "Equivariant frames and the impossibility of continuous canonicalization" (2024).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.equivalence.canonical import canonical_form, remove_shifts
from fiberscope.equivalence.canonical_scale import normalise_scales
from fiberscope.errors import InputError
from fiberscope.symmetry.action import primal
from fiberscope.symmetry.axes import Leaf
from fiberscope.symmetry.blocks import Workspace, mixes, per_copy, positions
from fiberscope.symmetry.element import to_array
from fiberscope.symmetry.infer import op_name
from fiberscope.symmetry.symmetries import Symmetries, symmetries

if TYPE_CHECKING:
    from fiberscope.network import Network

Array = NDArray[Any]


@dataclass(frozen=True)
class Fingerprint:
    """``text`` for equality (``fs1:...``) and ``sketch`` for closeness."""

    text: str
    sketch: tuple[float, ...]

    def distance(self, other: Fingerprint) -> float:
        """Relative distance of two sketches: 0 for copies, small for near copies, infinite across architectures.

        The largest of |x - y| / (|x| + |y|) over the entries.
        """
        if len(self.sketch) != len(other.sketch):
            return float("inf")
        x, y = np.array(self.sketch), np.array(other.sketch)
        size = np.abs(x) + np.abs(y)
        return float(np.max(np.divide(np.abs(x - y), size, out=np.zeros_like(x), where=size > 0), initial=0.0))

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {"fingerprint": self.text, "sketch": list(self.sketch)}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Fingerprint\n  {self.text}\n  sketch of {len(self.sketch)} numbers"


def fingerprint(net: Network, sym: Symmetries | None = None) -> Fingerprint:
    """Return the fingerprint of a network.

    Two networks with the same text have the same graph and the same canonical weights, hence compute the same
    function up to rounding (and the collision resistance of SHA-256). Different texts say nothing by themselves:
    compare sketches.

    >>> import torch, fiberscope.network as fn
    >>> net = fn.load(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval(),
    ...               (torch.zeros(2, 3),))
    >>> copy = symmetries(net).random(seed=1, power_of_two=True)(net)
    >>> fingerprint(net).text == fingerprint(copy).text
    True
    """
    sym = symmetries(net) if sym is None else sym
    return Fingerprint(_text(net, sym), _sketch(net, sym))


def _text(net: Network, sym: Symmetries) -> str:
    digest = hashlib.sha256()
    order = {name: i for i, name in enumerate(sym.layouts)}
    for node in net.graph.nodes:
        arguments = [order.get(net.weight_of.get(a.name, ""), a.op) for a in node.all_input_nodes]
        shape = tuple(getattr(node.meta.get("val"), "shape", ()))
        digest.update(repr((op_name(node) if node.op == "call_function" else node.op, arguments, shape)).encode())
    form = canonical_form(net, sym)
    for name in sym.layouts:
        digest.update(repr(form.weights[name].shape).encode())
        digest.update(np.ascontiguousarray(form.weights[name] + 0.0).tobytes())
    for name in sorted(net.constants):
        digest.update(net.constants[name].contiguous().cpu().numpy().tobytes())
    return f"fs1:{digest.hexdigest()[:40]}"


def _sketch(net: Network, sym: Symmetries) -> tuple[float, ...]:
    space = Workspace(sym, {n: to_array(net.weights[n]) for n in sym.layouts})
    remove_shifts(space)
    normalise_scales(space)
    mixed = {n for k, g in sym.groups.items() if mixes(g) for n in space.homes[k]}
    out: list[float] = []
    for name in sym.layouts:
        if name in mixed:
            continue
        size = np.abs(space.weights[name])
        out += [float(np.mean(size**p) ** (1 / p)) if size.size else 0.0 for p in (1, 2, 3)]
    for key, group in sym.groups.items():
        if mixes(group):
            out += _mixed_values(space, key)
    return tuple(out)


def _mixed_values(space: Workspace, key: int) -> list[float]:
    """Power means of the singular values of (what reads) x (what writes), over all copies of a mixing space."""
    group = space.symmetries.groups[key]
    sides: tuple[list[Array], list[Array]] = ([], [])
    for block in space.blocks(key):
        for place in positions(block, key):
            leaf = block.axes[place]
            assert isinstance(leaf, Leaf)
            sides[0 if primal(leaf, group) else 1].append(per_copy(block, place, group))
    if not all(sides):
        gram = np.concatenate(sides[0] or sides[1], axis=-1)
        values = np.linalg.svd(gram, compute_uv=False)
    else:
        written, read = (np.concatenate(s, axis=-1) for s in sides)
        # the nonzero singular values of read^T written are those of the product of two small triangular factors
        left, right = (np.linalg.qr(np.swapaxes(m, -1, -2), mode="r") for m in (written, read))
        values = np.linalg.svd(left @ np.swapaxes(right, -1, -2), compute_uv=False)
    flat = np.abs(values)
    return [float(np.mean(flat**p) ** (1 / p)) for p in (1, 2)]


def distance(a: Network | Fingerprint, b: Network | Fingerprint) -> float:
    """Return the sketch distance of two networks or fingerprints."""
    x, y = (f if isinstance(f, Fingerprint) else fingerprint(f) for f in (a, b))
    if not np.isfinite(x.distance(y)) and len(x.sketch) == len(y.sketch):
        raise InputError("a sketch holds non-finite numbers; the network's weights must be finite")
    return x.distance(y)
