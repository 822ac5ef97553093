"""The factors of a linear model, or of a linear chain inside a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.chains import LinearChain, chains

if TYPE_CHECKING:
    from fiberscope.network import Network

#: Operations that make polynomials of the input. Among polynomials, agreement at random points decides equality
#: (Schwartz 1980; Zippel 1979); a clamp far away or a step could agree at every point that is tried.
_POLYNOMIAL = {
    "linear", "mm", "addmm", "matmul", "mv", "bmm", "t", "transpose", "permute", "view", "_unsafe_view", "reshape",
    "flatten", "unflatten", "squeeze", "unsqueeze", "expand", "clone", "alias", "detach", "contiguous", "_to_copy",
    "add", "sub", "mul", "neg", "slice", "select", "cat", "lift_fresh_copy",
}  # fmt: skip


def from_network(
    net: Network, chain: str | None = None, *, biases: Literal["columns", "aside"] = "columns"
) -> tuple[np.ndarray, ...]:
    """The factors ``(W_1, ..., W_L)`` of a linear model, or of one of its linear chains by id (see `chains`).

    Without ``chain`` the whole model must be linear, without biases: ``f(x) = W_L ... W_1 x``, which is checked on
    the model itself. `InputError` says what is in the way and which chains there are.

    >>> import torch, fiberscope as fs
    >>> deep = torch.nn.Sequential(torch.nn.Linear(4, 2, bias=False), torch.nn.Linear(2, 3, bias=False))
    >>> [w.shape for w in from_network(fs.load(deep.eval(), (torch.zeros(2, 4),)))]
    [(2, 4), (3, 2)]
    """
    found = chains(net, biases=biases)
    if chain is not None:
        for candidate in found:
            if candidate.id == chain:
                return candidate.factors
        raise InputError(f"{net.name}: no linear chain {chain!r}; {_offer(found)}")
    candidates = [c.factors for c in (*found, *chains(net, biases="aside"))]
    candidates += [(net.weights[n].double().numpy(),) for n in net.weights if net.weights[n].ndim == 2]
    for factors in candidates:
        if factors[0].shape[1] == net.n_in and factors[-1].shape[0] == net.n_out and _computes(net, factors):
            return factors
    raise InputError(f"{net.name}: not a linear network without biases; {_offer(found)}")


def _computes(net: Network, factors: tuple[np.ndarray, ...]) -> bool:
    """Whether the model maps 0 to 0, the unit vectors to the product's columns, and random inputs linearly."""
    for node in net.graph.nodes:
        if node.op == "call_function" and _name(node.target) not in _POLYNOMIAL:
            return False
    rng = np.random.default_rng(0)
    points = np.concatenate([np.zeros((1, net.n_in)), np.eye(net.n_in), 10 * rng.normal(size=(8, net.n_in))])
    got = net.run_flat(points)
    want = points
    for factor in factors:
        want = want @ factor.T
    size = np.prod([np.linalg.norm(f) for f in factors]) * np.abs(points).max()
    return bool(np.abs(got - want).max() <= 1e-10 * max(size, np.finfo(float).tiny))


def _name(target: object) -> str:
    """The bare name of an ATen operation, "" for anything else."""
    text = str(target)
    return text.split(".")[1] if text.startswith("aten.") else ""


def _offer(found: tuple[LinearChain, ...]) -> str:
    if not found:
        return "and it has no two matrices in a row without an activation between them"
    shown = ", ".join(f"{c.id} ({' '.join(map(str, c.widths))})" for c in found[:6])
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    return f"its linear chains are {shown}{more}: name one of them"
