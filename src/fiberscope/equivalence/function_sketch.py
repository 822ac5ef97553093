r"""Numbers that depend on the function alone: sketches of networks with one hidden layer.

tanh, sigmoid, erf, arctan, softsign, with the odd core rho:  f(x) = c + L x + sum_i q_i rho(<w_i, x> + b_i),

    F_k = sum_i q_i |w_i|^2/(1 + |w_i|^2) sin<xi_k, (w_i, b_i)>,        L z_j,        f(0).

relu, leaky_relu, prelu, abs, that is d |t| + s t: kinks of weight p_i = d q_i |w_i| on hyperplanes (w_i, b_i),

    F_k = sum_i p_i cos<xi_k, v_i>,  v_i = (w_i, b_i)/|(w_i, b_i)|,     (L + s sum_i q_i w_i^T) z_j,        f(0).

The function in the first sum is odd and vanishes at w = 0, the one in the second is even and homogeneous of degree 0:
so nothing changes under a relabelling, a flip, a scaling, or when clones are merged and constant or unread units
dropped; and everything is continuous there as well, which no canonical form can be. Directions xi_k and z_j are fixed,
and many outputs are seen through a few fixed combinations of them. The sketch is linear in the function.
Reference: for kinks, Dereich and Kassing (2021); for independence of the units, Sussmann (1992).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiberscope.affine.reading import Reader
from fiberscope.affine.scalar import nearest
from fiberscope.affine.tensor_form import Form, Unreadable
from fiberscope.affine.unit_law import UnitLaw, unit_law

if TYPE_CHECKING:
    from fiberscope.network import Network

Array = NDArray[np.float64]
WAVES, SLOPES, SEEN = 24, 6, 8
"""Directions xi, directions z, and how many combinations of many outputs are seen."""

MOST_PRODUCTS = 8
"""Networks with more matrix products are not tried, nor those with more than two of them in a row."""

_PRODUCTS = ("mm", "matmul", "addmm", "linear", "mv")


def function_sketch(net: Network) -> tuple[str, tuple[float, ...]] | None:
    """What kind of units, and the sketch; None where the network is not one hidden layer of one such kind.

    >>> import torch, fiberscope as fs
    >>> layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 2))
    >>> kind, numbers = function_sketch(fs.load(layers.eval(), (torch.zeros(2, 3),)))
    >>> kind, len(numbers) == 2 * (WAVES + SLOPES + 1)
    ('tanh', True)
    """
    if not _shallow(net):
        return None
    reader = Reader(net)
    try:
        outputs = reader.run()
    except Unreadable:
        return None
    n = len(reader.inputs)
    if not reader.blocks or any(max(form.blocks, default=0) >= n for _, form in reader.blocks):
        return None
    kinds = {_kind(unit_law(name)) for name, _ in reader.blocks}
    kind = kinds.pop()
    if kinds or kind is None:
        return None
    out = sum(form.rows for form in outputs)
    mix = np.eye(out) if out <= SEEN else _directions(SEEN, out, "outputs") / np.sqrt(out)
    slope, total = _read(outputs, reader.inputs, range(n)), np.concatenate([_floats(form.bias) for form in outputs])
    slope, total = mix @ slope, mix @ total
    measure = np.zeros((len(mix), WAVES))
    for k, (name, form) in enumerate(reader.blocks, start=n):
        law = unit_law(name)
        w, b = _read([form], reader.inputs, range(n)), _floats(form.bias)
        q = mix @ np.concatenate([_matrix(output, k, len(b)) for output in outputs])
        total = total + q @ law.value(b)
        if kind == "kinks":
            assert law.pieces is not None
            left, right = (nearest(side) for side in law.pieces[1:])
            slope = slope + (left + right) / 2.0 * (q @ w)
            measure += (q * ((right - left) / 2.0 * np.linalg.norm(w, axis=1))) @ _even(w, b)
        else:
            scale, factor = nearest(law.beta), nearest(law.lam)
            measure += factor * q @ _odd(scale * w, scale * b + nearest(law.gamma))
    slopes = slope @ _directions(SLOPES, slope.shape[1], "inputs").T
    numbers = np.concatenate([measure, slopes, total[:, None]], axis=1)
    return kind, tuple(float(x) for x in numbers.ravel())


def _odd(w: Array, b: Array) -> Array:
    """phi_k(w, b), odd and 0 at w = 0, [units, WAVES]."""
    size = (w**2).sum(axis=1, keepdims=True)
    return size / (1.0 + size) * np.sin(_phases(w, b))


def _even(w: Array, b: Array) -> Array:
    """phi_k(w, b), even and the same along rays, [units, WAVES]."""
    size = np.hypot(np.linalg.norm(w, axis=1), b)
    size = np.where(size > 0.0, size, 1.0)
    return np.cos(2.0 * _phases(w / size[:, None], b / size))


def _phases(w: Array, b: Array) -> Array:
    """<xi_k, (w, b)>; half of the xi are half as long."""
    xi = _directions(WAVES, w.shape[1] + 1, "waves")
    xi[::2] /= 2.0
    return w @ xi[:, :-1].T + b[:, None] * xi[:, -1]


def _directions(count: int, size: int, purpose: str) -> Array:
    """Fixed vectors with entries of variance 1, the same on every machine: ``random.random`` never changes."""
    source = random.Random(f"fiberscope {purpose} {size}")
    entries = [source.random() for _ in range(count * size)]
    return (np.array(entries).reshape(count, size) - 0.5) * np.sqrt(12.0)


def _kind(law: UnitLaw) -> str | None:
    if law.tanh_type:
        return law.core
    return "kinks" if law.degree == 1 and law.pieces is not None and len(law.pieces[0]) == 1 else None


def _read(forms: list[Form], inputs: list[int], blocks: range) -> Array:
    """The matrix of some forms over all inputs."""
    return np.concatenate([np.concatenate([_matrix(f, k, inputs[k]) for k in blocks], axis=1) for f in forms])


def _matrix(form: Form, block: int, size: int) -> Array:
    return _floats(form.blocks[block]) if block in form.blocks else np.zeros((form.rows, size))


def _floats(numbers: NDArray[Any]) -> Array:
    return numbers.astype(np.float64)


def _shallow(net: Network) -> bool:
    """Whether the graph may have one hidden layer, before its weights are looked at."""
    row: dict[Any, int] = {}
    for node in net.graph.nodes:
        row[node] = max((row[p] for p in node.all_input_nodes), default=0) + (_short(node) in _PRODUCTS)
    return max(row.values()) <= 2 and sum(_short(node) in _PRODUCTS for node in net.graph.nodes) <= MOST_PRODUCTS


def _short(node: Any) -> str:
    words = str(node.target).split(".") if node.op == "call_function" else []
    return words[1] if words[:1] == ["aten"] else ""
