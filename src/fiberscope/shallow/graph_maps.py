"""Affine maps of the input or of the hidden units, with the places of their rows in the tensors of a traced graph.

All arithmetic is exact: float64 where that holds the numbers, else rationals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from fiberscope.network.elementwise import Expression
from fiberscope.numerics.exact import add, matmul, multiply, rationals, simplify

DIAGONAL_MOST = 4096


class Unreadable(Exception):
    """Why the graph is not that of one hidden layer."""


@dataclass(frozen=True, eq=False)
class Map:
    """Position p of the tensor holds row ``index[p]`` of ``weight @ base + bias`` (weight None: the base itself).

    Rows of sample b of a batch are numbered b * rows + 0, 1, ...; ``hidden`` says which base: input or hidden units.
    """

    hidden: bool
    rows: int
    weight: np.ndarray | None
    bias: np.ndarray
    index: torch.Tensor


@dataclass(frozen=True, eq=False)
class Pending:
    """An elementwise expression of a map."""

    of: Map
    expression: Expression


class Maps:
    """Arithmetic on maps whose samples lie along axis 0 of size ``batch``, or alone (None)."""

    def __init__(self, batch: int | None) -> None:
        self.batch = batch

    def places(self, rows: int, shape: tuple[int, ...]) -> torch.Tensor:
        """The index of a tensor that holds every row once, in order."""
        fits = self.batch is None or (len(shape) > 0 and shape[0] == self.batch)
        if not fits or int(np.prod(shape, dtype=np.int64)) != (self.batch or 1) * rows:
            raise Unreadable("the samples of a batch are not along the first axis")
        return torch.arange((self.batch or 1) * rows).reshape(shape)

    def rows(self, value: Map) -> tuple[np.ndarray, tuple[int, ...]]:
        """Row number of every position of one sample (flat), and the shape of a sample."""
        index = value.index
        if self.batch is None:
            return index.reshape(-1).numpy(), tuple(index.shape)
        offset = torch.arange(self.batch).reshape(-1, *([1] * (index.ndim - 1))) * value.rows
        if index.ndim == 0 or index.shape[0] != self.batch or not torch.equal(index, index[:1] + offset):
            raise Unreadable("samples of a batch mix, or a layer acts on several rows of each")
        return index[0].reshape(-1).numpy(), tuple(index.shape[1:])

    def gathered(self, value: Map) -> Map:
        """The same with one row per position, in order."""
        rows, _ = self.rows(value)
        index = self.places(len(rows), tuple(value.index.shape))
        if value.weight is None:
            if len(rows) == value.rows and (rows == np.arange(len(rows))).all() and not (value.bias != 0).any():
                return replace(value, index=index)
            return Map(value.hidden, len(rows), dense(value)[rows], value.bias[rows], index)
        return Map(value.hidden, len(rows), value.weight[rows], value.bias[rows], index)

    def numbers(self, value: Map, steps: list[tuple[str, float]]) -> Map:
        """Additions, products and quotients by numbers, in order."""
        for op, number in steps:
            value = self.scaled(op, value, torch.tensor(number, dtype=torch.float64), False, tuple(value.index.shape))
        return value

    def scaled(self, op: str, value: Map, constant: torch.Tensor, first: bool, shape: tuple[int, ...]) -> Map:
        """value (+ - * /) constant, entry by entry, exactly."""
        if tuple(value.index.shape) != shape:
            value = replace(value, index=value.index.expand(shape))
        if self.batch is not None and constant.ndim == len(shape) and constant.shape[0] != 1:
            raise Unreadable("a constant along the batch axis")
        numbers = constant.to(torch.float64).expand(shape)
        numbers = (numbers if self.batch is None else numbers[0]).reshape(-1).numpy().copy()
        value = self.gathered(value)
        if op in ("add", "sub"):
            if op == "sub" and not first:
                numbers = -numbers
            if op == "sub" and first:
                return replace(value, weight=multiply(dense(value), np.array(-1.0)), bias=add(-value.bias, numbers))
            return replace(value, bias=add(value.bias, numbers))
        if op == "div":
            if not numbers.all():
                raise Unreadable("division by zero")
            numbers = simplify(1 / rationals(numbers))
        return replace(value, weight=multiply(dense(value), numbers[:, None]), bias=multiply(value.bias, numbers))

    def product(self, value: Map, numbers: np.ndarray, shape: tuple[int, ...]) -> Map:
        """``numbers`` [out, positions of a sample] times a map, as a tensor of this shape."""
        value = self.gathered(value)
        weight = numbers if value.weight is None else matmul(numbers, value.weight)
        bias = np.zeros(len(numbers))
        if (value.bias != 0).any():
            bias = matmul(numbers, value.bias[:, None])[:, 0]
        return Map(value.hidden, len(numbers), weight, bias, self.places(len(numbers), shape))

    def stacked(self, parts: list[Map], axis: int) -> Map:
        """Maps of one base, one after the other along an axis."""
        if len({part.hidden for part in parts}) > 1:
            raise Unreadable("hidden units are joined to inputs (a skip connection)")
        parts = [self.gathered(part) for part in parts]
        weights, biases = [dense(part) for part in parts], [part.bias for part in parts]
        if any(array.dtype == object for array in (*weights, *biases)):
            weights, biases = [rationals(array) for array in weights], [rationals(array) for array in biases]
        total, before, places = sum(part.rows for part in parts), 0, []
        for part in parts:
            places.append(part.index // part.rows * total + part.index % part.rows + before)
            before += part.rows
        index = torch.cat(places, axis)
        return Map(parts[0].hidden, total, np.concatenate(weights), np.concatenate(biases), index)


def relocated(value: Map | Pending, index: torch.Tensor) -> Map | Pending:
    """The same rows at other places."""
    if isinstance(value, Pending):
        return replace(value, of=replace(value.of, index=index))
    return replace(value, index=index)


def same_map(a: Map, b: Map) -> bool:
    """Whether two maps hold the same numbers, also if both were computed."""

    def equal(left: np.ndarray | None, right: np.ndarray | None) -> bool:
        return left is right or (left is not None and right is not None and np.array_equal(left, right))

    return a.hidden == b.hidden and a.rows == b.rows and torch.equal(a.index, b.index) and equal(
        a.weight, b.weight) and equal(a.bias, b.bias)  # fmt: skip


def dense(value: Map) -> np.ndarray:
    """The weight as an array (rows x base)."""
    if value.weight is not None:
        return value.weight
    if value.rows > DIAGONAL_MOST:
        raise Unreadable(f"arithmetic on each of {value.rows} units")
    return np.eye(value.rows)


def one_number(tensor: torch.Tensor) -> torch.Tensor | float:
    """The number that all entries are, or the tensor itself.

    >>> one_number(torch.tensor([[0.25, 0.25]]))
    0.25
    """
    if not tensor.numel() or not tensor.dtype.is_floating_point:
        return tensor
    value = float(tensor.flatten()[0])
    return value if bool((tensor == tensor.flatten()[0]).all()) else tensor
