"""From a model to a network on a graph: units, weights and skips read from its ATen graph, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.reading import Reader
from fiberscope.affine.scalar import Exact, exact
from fiberscope.affine.tensor_form import Form, Unreadable
from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.network import Network


def from_network(net: Network) -> DagNetwork:
    """The units of a model: linear layers, elementwise activations, skip connections, sums and concatenations.

    Weights are the stored ones as exact numbers (rationals where the graph multiplies or adds constants). One layer
    label per activation of the graph; additions of hidden tensors become ties. Inputs and outputs are flat, in order.
    Errors: InputError names the operation of the graph that cannot be read.

    >>> import torch, fiberscope as fs
    >>> mlp = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    >>> from_network(fs.load(mlp.eval(), (torch.zeros(2, 3),))).widths
    (3, 4, 2)
    """
    reader = Reader(net)
    try:
        outputs = reader.run()
    except Unreadable as reason:
        raise InputError(f"{net.name}: cannot be read as a network of single units ({reason})") from None
    starts = [0]
    for size in (*reader.inputs, *(form.rows for _, form in reader.blocks)):
        starts.append(starts[-1] + size)
    units: list[Unit] = []
    layers: list[int] = []
    for label, (name, form) in enumerate(reader.blocks, start=1):
        units += [Unit(name, row) for row in _rows(form, starts)]
        layers += [label] * form.rows
    ties = [(starts[p] + i, starts[q] + j) for (p, i), (q, j) in reader.ties]
    for k, (_, form) in enumerate(reader.blocks, start=len(reader.inputs)):
        ties += [(p, starts[k] + i) for i, p in _fixed(form, starts)]
    ties += [(-1, p) for form in outputs for _, p in _fixed(form, starts)]
    return DagNetwork(
        sum(reader.inputs),
        tuple(units),
        tuple(row for form in outputs for row in _rows(form, starts)),
        tuple(layers),
        tuple(ties),
        precision=_precision(net),
        caveats=tuple(reader.caveats()),
    )


def _fixed(form: Form, starts: list[int]) -> list[tuple[int, int]]:
    """``(row, node)`` wherever a row reads a node with a number that is no weight of the model."""
    free = form.origin.blocks if form.origin is not None else {}
    out = []
    for k, matrix in form.blocks.items():
        fixed = np.asarray(matrix != 0, dtype=bool)
        if k in free:
            fixed &= ~free[k][:, None]
        out += [(int(i), starts[k] + int(j)) for i, j in zip(*np.nonzero(fixed), strict=True)]
    return out


def _rows(form: Form, starts: list[int]) -> list[Row]:
    """The rows of a form over blocks; entries that are 0 stay edges where their block is read at all."""
    blocks = sorted(form.blocks)
    parents = (
        np.concatenate([starts[k] + np.arange(form.blocks[k].shape[1]) for k in blocks]) if blocks else np.zeros(0)
    )
    named = tuple(int(p) for p in parents)
    matrices = [_numbers(form.blocks[k]) for k in blocks]
    bias = _numbers(form.bias[:, None])
    lines = (tuple(w for m in matrices for w in m[row]) for row in range(form.rows))
    if form.plain:  # a row that only moves and adds nodes reads those nodes alone
        pairs = ([(p, w) for p, w in zip(named, line, strict=True) if w != 0] for line in lines)
        return [Row.of(dict(kept), b[0]) for kept, b in zip(pairs, bias, strict=True)]
    return [Row(named, line, b[0]) for line, b in zip(lines, bias, strict=True)]


def _numbers(matrix: np.ndarray) -> list[list[Exact]]:
    if matrix.dtype == object:
        return [[exact(w) for w in line] for line in matrix]
    return (matrix + 0.0).tolist()


def _precision(net: Network) -> str:
    """The coarsest floating dtype among the weights that the graph uses."""
    names = {str(t.dtype).removeprefix("torch.") for t in net.weights.values()}
    for name in ("bfloat16", "float16", "float32"):
        if name in names:
            return name
    return "float64"
