"""The Fisher information matrix E[J(x)^T J(x)], J = df/d(weights): for inputs uniform on a box, and for samples.

On a box, with S_ij = E[sigma'(z_i) sigma'(z_j) x x^T], x = (x_1, ..., x_n, 1), a sum of moments of half-spaces:

    <dl_i, dl_j> = <q_i, q_j> S_ij,     <dl_i, dq_ja> = q_ia S_ij l_j,     <dq_ia, dq_jb> = delta_ab l_i^T S_ij l_j,

because sigma(z) = sigma'(z) z. The output bias is the output weight of a unit that is constantly 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.numerics.exact import rational, rationals
from fiberscope.numerics.tolerance import SPECTRUM
from fiberscope.shallow.bend import bend, checked_model
from fiberscope.shallow.hinges import as_floats
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.moments import MAX_INPUTS, CubeMoments
from fiberscope.shallow.potential import checked_box, reads_too_much


def parameter_names(model: ShallowModel) -> list[str]:
    """The order of rows and columns: W1 row by row, b1, W2 row by row, b2."""
    shapes = [(name, getattr(model, name).shape) for name in ("W1", "b1", "W2", "b2")]
    return [f"{name}[{','.join(map(str, index))}]" for name, shape in shapes for index in np.ndindex(*shape)]


def information_on_box(model: ShallowModel, box: Any, *, exact: bool = False) -> np.ndarray:
    """The Fisher information (P x P, order of :func:`parameter_names`) for inputs uniform on ``box``, in closed form.

    Rationals if ``exact``, else floats. Where a unit has w = 0 and b = 0, its slope is taken as that left of 0.

    Errors: InputError for an activation that is not linear on both sides of 0, a flat box, or a pair of units that
    reads more than five inputs (use samples).

    >>> from fiberscope.shallow.examples import scaling
    >>> information_on_box(scaling(w=1.0, q=2.0).model, (-1, 1), exact=True)[0].tolist()  # dW1 dW1, db1, dW2, db2
    [2/3, 1, 1/3, 1/2]
    """
    law = bend(checked_model(model).activation)
    region = checked_box(box, model.inputs)
    convert = rationals if exact else as_floats
    W, b, Q, low, high = (convert(a) for a in (model.W1, model.b1, model.W2, region.low, region.high))
    width, n, k, d = high - low, model.inputs, model.outputs, model.units
    rows = np.column_stack([W * width, W @ low + b]).tolist()
    if reads_too_much(rows, n):
        raise InputError(f"a pair of units reads more than {MAX_INPUTS} inputs; use information_of_samples")
    found = CubeMoments(rows, inputs=n, exact=exact)
    below, jump = (rational(v) if exact else float(v) for v in (law.slope(-1), law.jump))
    kind = object if exact else np.float64
    zero, one = jump * 0, jump * 0 + 1
    to_x = np.full((n + 1, n + 1), zero, dtype=kind)  # x = to_x y
    to_x[range(n), range(n)], to_x[:n, n], to_x[n, n] = width, low, one

    def moment(i: int | None, j: int | None) -> np.ndarray:
        M = found.pair(i, j)
        return np.full((n + 1, n + 1), zero, dtype=kind) if M is None else to_x @ M @ to_x.T

    whole = moment(None, None)
    single = [moment(i, None) for i in range(d)]
    # Unit d is the constant 1: l_d = (0, ..., 0, 1), slope 1, and only its output weights (the bias) are weights.
    lines = np.vstack([np.column_stack([W, b]), to_x[n:] * 0])
    lines[d, n] = one
    place = _places(model)
    out = np.full((len(place), len(place)), zero, dtype=kind)
    inner = [[place["W1", (i, c)] for c in range(n)] + [place["b1", (i,)]] for i in range(d)]
    outer = [[place["W2", (a, i)] for a in range(k)] for i in range(d)] + [[place["b2", (a,)] for a in range(k)]]
    for i in range(d + 1):
        for j in range(i, d + 1):
            if i == d:
                S = whole
            elif j == d:
                S = whole * below + single[i] * jump
            else:
                S = whole * below**2 + (single[i] + single[j]) * (below * jump) + moment(i, j) * jump**2
            if j < d:
                _put(out, inner[i], inner[j], S * (Q[:, i] @ Q[:, j]))
                _put(out, outer[i], inner[j], np.outer(Q[:, j], lines[i] @ S))
            if i < d:
                _put(out, inner[i], outer[j], np.outer(S @ lines[j], Q[:, i]))
            for a in range(k):
                out[outer[i][a], outer[j][a]] = out[outer[j][a], outer[i][a]] = lines[i] @ S @ lines[j]
    return out


def information_of_samples(model: ShallowModel, samples: np.ndarray) -> np.ndarray:
    """The Fisher information (P x P) averaged over ``samples`` (N x n), any activation, in floats.

    Errors: InputError for samples of a wrong shape, none, or not finite.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> information_of_samples(four_hyperplanes(), np.zeros((1, 2))).sum().item()  # only the output bias is read there
    1.0
    """
    checked_model(model)
    x = np.asarray(samples, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != model.inputs or not len(x) or not np.isfinite(x).all():
        raise InputError(f"samples: expected a finite array N x {model.inputs}, N > 0, got shape {x.shape}")
    W, b, Q = (as_floats(a) for a in (model.W1, model.b1, model.W2))
    value, slope = _value_and_slope(model.activation, x @ W.T + b)
    total = np.zeros((len(_places(model)),) * 2)
    for a in range(model.outputs):
        inner = slope * Q[a]  # N x d
        parts = [(inner[:, :, None] * x[:, None, :]).reshape(len(x), -1), inner]
        for other in range(model.outputs):
            parts.append(value if other == a else np.zeros_like(value))
        bias = np.zeros((len(x), model.outputs))
        bias[:, a] = 1.0
        J = np.hstack([*parts, bias])
        total += J.T @ J
    return total / len(x)


def numerical_rank(information: np.ndarray) -> tuple[int, float]:
    """``(rank, gap)`` of a float Fisher matrix after scaling its diagonal to 1: eigenvalues above 1e-11 of the largest,
    and the ratio of the smallest of them to the largest of the others (inf if the others are 0 or none)."""
    size = np.sqrt(np.diagonal(information).clip(min=0.0))
    size[size == 0] = 1.0
    values = np.sort(np.abs(np.linalg.eigvalsh(information / np.outer(size, size))))[::-1]
    count = int((values > SPECTRUM * values[0]).sum()) if values[0] > 0 else 0
    rest = values[count] if count < len(values) else 0.0
    return count, float(values[count - 1] / rest) if count and rest > 0 else float("inf")


def _places(model: ShallowModel) -> dict[tuple[str, tuple[int, ...]], int]:
    names = ("W1", "b1", "W2", "b2")
    return {key: p for p, key in enumerate((a, i) for a in names for i in np.ndindex(*getattr(model, a).shape))}


def _put(out: np.ndarray, rows: list[int], columns: list[int], block: np.ndarray) -> None:
    out[np.ix_(rows, columns)] = block
    out[np.ix_(columns, rows)] = block.T


def _value_and_slope(activation: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import torch

    from fiberscope.activations.in_torch import torch_function

    tensor = torch.from_numpy(np.ascontiguousarray(z)).requires_grad_()
    value = torch_function(activation)(tensor)
    (slope,) = torch.autograd.grad(value.sum(), tensor)
    return value.detach().numpy(), slope.numpy()
