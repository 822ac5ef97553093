"""The factors ``[W_1, ..., W_L]`` of a linear network, checked: each a matrix, each fitting the one before."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from fiberscope.errors import InputError, WeightError

_FLOAT64_EPS = 2.0**-52


def checked_factors(factors: Sequence[Any], *, exact: bool = False) -> tuple[np.ndarray, ...]:
    """The factors as float64 matrices, or as matrices of rationals (``flint.fmpq``) with ``exact``.

    Each factor may be a numpy array, a torch tensor, or a list of rows; entries are floats, integers, ``Fraction`` or
    ``flint.fmpq``. ``W_j`` is d_j x d_{j-1}: ``W_{j+1}`` has as many columns as ``W_j`` has rows. Errors: `InputError`
    when nothing is given or the shapes do not chain, `WeightError` for NaN, infinity, empty or non-numeric matrices.

    >>> [w.shape for w in checked_factors([[[1, 2], [3, 4], [5, 6]], [[1, 0, 1]]])]
    [(3, 2), (1, 3)]
    """
    items = list(factors)
    if not items:
        raise InputError("factors: the list is empty; expected the matrices W1, ..., WL from the input to the output")
    out: list[np.ndarray] = []
    for number, item in enumerate(items, start=1):
        name = f"W{number}"
        matrix = _matrix(item, name)
        if out and matrix.shape[1] != out[-1].shape[0]:
            raise InputError(
                f"{name} is {_by(matrix)} but W{number - 1} is {_by(out[-1])}: expected {name} with "
                f"{out[-1].shape[0]} columns (factors go from the input to the output)"
            )
        out.append(matrix)
    return tuple((_rationals if exact else _floats)(m, f"W{n}") for n, m in enumerate(out, start=1))


def storage_eps(factors: Sequence[Any]) -> float:
    """The machine epsilon of the coarsest floating-point type among the factors (2**-52 for lists and integers).

    >>> storage_eps([np.zeros((2, 2), np.float32), np.zeros((2, 2))]) == 2.0**-23
    True
    """
    eps = [_FLOAT64_EPS]
    for factor in factors:
        name = str(getattr(factor, "dtype", "")).removeprefix("torch.")
        eps.append({"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}.get(name, _FLOAT64_EPS))
    return max(eps)


def _by(matrix: np.ndarray) -> str:
    return "x".join(map(str, matrix.shape))


def _matrix(item: Any, name: str) -> np.ndarray:
    """The factor as a two-dimensional numpy array of some numeric or object type."""
    if hasattr(item, "detach"):  # a torch tensor; numpy has no bfloat16
        item = item.detach().cpu()
        item = item.double().numpy() if item.is_floating_point() else item.numpy()
    try:
        array = np.asarray(item)
    except (ValueError, TypeError) as error:
        raise WeightError(f"{name}: expected a matrix (rows of equal length), got {type(item).__name__}") from error
    if array.ndim != 2:
        raise WeightError(f"{name}: expected a matrix, got an array of shape {array.shape}")
    if 0 in array.shape:
        raise WeightError(f"{name} is {_by(array)}: expected at least one row and one column")
    if array.dtype.kind not in "biufO":
        raise WeightError(f"{name}: expected real numbers, got entries of type {array.dtype}")
    return array


def _rationals(matrix: np.ndarray, name: str) -> np.ndarray:
    """The entries as ``flint.fmpq``, in an object array of the same shape."""
    from fiberscope.numerics.exact import rational

    if matrix.dtype.kind == "f" and not np.isfinite(matrix).all():
        raise WeightError(f"{name} holds NaN or infinity: expected finite real numbers")
    out = np.empty(matrix.size, dtype=object)
    for position, value in enumerate(matrix.ravel().tolist()):
        try:
            out[position] = value if hasattr(value, "numer") else rational(_plain(value))
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise WeightError(f"{name} holds {value!r}: expected finite real numbers") from error
    return out.reshape(matrix.shape)


def _plain(value: Any) -> Any:
    """A float, an int or a `Fraction` (numpy scalars and ``flint.fmpz`` inside object arrays are converted)."""
    if isinstance(value, (float, int, Fraction)):
        return value
    return int(value) if hasattr(value, "__index__") else float(value)


def _floats(matrix: np.ndarray, name: str) -> np.ndarray:
    """The entries as float64, each the nearest one."""
    if matrix.dtype == object:
        from fiberscope.numerics.exact import nearest_floats

        matrix = nearest_floats(_rationals(matrix, name))[0]
    out = np.array(matrix, dtype=np.float64)
    if not np.isfinite(out).all():
        raise WeightError(f"{name} holds NaN or infinity, or a number beyond float64: expected finite real numbers")
    return out
