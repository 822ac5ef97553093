"""Tensors of a graph as exact affine functions of nodes: what the reader of models computes with.

A `Form` has rows ``sum over blocks of M_block @ values(block) + bias``; a block is an input tensor or the units of one
activation. A `Tensor` says which row of the form stands at which position of the traced tensor. Operations that only
move entries are replayed on that index, so views, permutations and slices need no rules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from fiberscope.numerics import exact
from fiberscope.numerics.tolerance import MAX_EXACT_PRODUCTS


class Unreadable(Exception):
    """Raised inside the reader with the reason; it becomes one line that names the model and the operation."""


@dataclass(frozen=True, eq=False)
class Origin:
    """The stored numbers in a form: ``blocks[k][row]`` says whether a row's part of block k is made of them.

    ``shift``: whether the bias is. ``rows`` of a table ``readers`` that the forms made of the same numbers share: who
    reads each row, -1 for nobody yet.
    """

    blocks: dict[int, np.ndarray]
    shift: bool
    readers: np.ndarray
    rows: np.ndarray

    @classmethod
    def fresh(cls, blocks: dict[int, np.ndarray], shift: bool, rows: int) -> Origin:
        """Numbers that nothing has read."""
        return cls(blocks, shift, np.full(rows, -1), np.arange(rows))

    def take(self, rows: np.ndarray) -> Origin:
        """That of some of the rows."""
        return replace(self, blocks={k: m[rows] for k, m in self.blocks.items()}, rows=self.rows[rows])

    def read(self, reader: int) -> bool:
        """Note a reader; whether nobody else reads these rows."""
        before = self.readers[self.rows]
        self.readers[self.rows] = reader
        return bool(((before == -1) | (before == reader)).all())


@dataclass(frozen=True, eq=False)
class Form:
    """``rows`` affine functions; matrices [rows, size of block] are float64 (exact) or rationals (object).

    ``plain``: made of nodes by moving, scaling and adding entries alone, so a sum ties the nodes of its summands.
    ``origin``: which of the model's stored numbers are in it, None where there are none.
    """

    blocks: dict[int, np.ndarray]
    bias: np.ndarray
    plain: bool = False
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)
    origin: Origin | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.bias)

    def take(self, rows: np.ndarray) -> Form:
        """Some of the rows, in some order; the form itself when these are all of them."""
        if len(rows) == self.rows and bool((rows == np.arange(self.rows)).all()):
            return self
        key = rows.tobytes()
        if key not in self.memory:
            blocks = {k: m[rows] for k, m in self.blocks.items()}
            origin = None if self.origin is None else self.origin.take(rows)
            self.memory[key] = Form(blocks, self.bias[rows], self.plain, origin=origin)
        return self.memory[key]

    def shifted(self, numbers: np.ndarray) -> Form:
        """Plus a number per row."""
        return Form(self.blocks, exact.add(self.bias, numbers), self.plain, origin=self.origin)

    def scaled(self, numbers: np.ndarray) -> Form:
        """Times a number per row."""
        blocks = {k: exact.multiply(m, numbers[:, None]) for k, m in self.blocks.items()}
        return Form(blocks, exact.multiply(self.bias, numbers), self.plain, origin=self.origin)

    def stepped(self, steps: list[tuple[str, float]]) -> Form:
        """After adding, subtracting, multiplying or dividing by numbers, one after the other."""
        form = self
        for op, number in steps:
            numbers = np.full(form.rows, number)
            if op in ("add", "sub"):
                form = form.shifted(numbers if op == "add" else -numbers)
            else:
                form = form.scaled(numbers if op == "mul" else exact.simplify(1 / exact.rationals(numbers)))
        return form

    def plus(self, other: Form) -> Form:
        """The sum, row by row."""
        blocks = dict(self.blocks)
        for k, m in other.blocks.items():
            blocks[k] = exact.add(blocks[k], m) if k in blocks else m
        return Form(blocks, exact.add(self.bias, other.bias), self.plain and other.plain)

    def mapped(self, matrix: np.ndarray) -> Form:
        """``matrix @ self``; the matrix itself where a block's own matrix is the identity."""
        blocks = {k: _product(matrix, m) for k, m in self.blocks.items()}
        bias = np.zeros(len(matrix))
        if bool(np.asarray(self.bias != 0, dtype=bool).any()):
            bias = exact.matmul(matrix, self.bias[:, None])[:, 0]
        return Form(blocks, bias)

    @staticmethod
    def joined(parts: list[Form]) -> Form:
        """Forms below each other."""
        sizes = {k: m.shape[1] for part in parts for k, m in part.blocks.items()}
        blocks = {
            k: np.concatenate([part.blocks.get(k, np.zeros((part.rows, size))) for part in parts])
            for k, size in sizes.items()
        }
        return Form(blocks, np.concatenate([part.bias for part in parts]), all(part.plain for part in parts))


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    if right.dtype != object and right.shape[0] == right.shape[1] and np.array_equal(right, np.eye(len(right))):
        return left
    columns = np.flatnonzero(np.asarray(right != 0, dtype=bool).any(axis=0))
    if right.dtype != object and len(columns) == np.count_nonzero(right) and set(right[right != 0].tolist()) <= {1.0}:
        out = np.zeros((left.shape[0], right.shape[1]), dtype=left.dtype)
        place = right[:, columns].argmax(axis=0)
        out[:, columns] = left[:, place]  # every column picks one column of the left factor
        return out
    if left.shape[0] * left.shape[1] * right.shape[1] > MAX_EXACT_PRODUCTS:
        raise Unreadable("two linear maps in a row are too large to multiply exactly")
    return exact.matmul(left, right)


@dataclass(frozen=True, eq=False)
class Tensor:
    """Row ``index % rows`` of ``form`` for sample ``index // rows``, at every position of the traced tensor."""

    form: Form
    index: torch.Tensor

    def moved(self, index: torch.Tensor) -> Tensor:
        """The same rows at other positions."""
        return replace(self, index=index)


@dataclass(frozen=True, eq=False)
class Elementwise:
    """An elementwise expression of a tensor."""

    of: Tensor
    expression: Any


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor that does not depend on the input; ``stored`` names the weight that it comes from, or is empty."""

    values: torch.Tensor
    stored: str = ""

    @property
    def number(self) -> float | None:
        """The one number of a constant that is not a weight, or None."""
        values = self.values
        if self.stored or values.numel() == 0:
            return None
        first = values.reshape(-1)[0]
        return float(first) if bool((values == first).all()) else None


@dataclass(frozen=True)
class Frame:
    """How samples lie in the traced tensors: along axis 0 of size ``batch``, or one alone (None)."""

    batch: int | None

    def tensor(self, form: Form, shape: tuple[int, ...]) -> Tensor:
        """A form whose rows fill one sample of a tensor of this shape, in order."""
        count = int(np.prod(shape, dtype=np.int64))
        if (self.batch is not None and (not shape or shape[0] != self.batch)) or count != (self.batch or 1) * form.rows:
            raise Unreadable("the batch axis is not the first axis")
        return Tensor(form, torch.arange(count).reshape(shape))

    def sample(self, value: Tensor) -> tuple[np.ndarray, tuple[int, ...]]:
        """Row of every position of one sample (flat), and the sample's shape."""
        index = value.index
        if self.batch is None:
            return index.reshape(-1).numpy(), tuple(index.shape)
        if index.ndim == 0 or index.shape[0] != self.batch:
            raise Unreadable("the batch axis is not the first axis")
        offset = torch.arange(self.batch).reshape(-1, *([1] * (index.ndim - 1))) * value.form.rows
        if not torch.equal(index, index[:1] + offset):
            raise Unreadable("samples of a batch mix")
        return index[0].reshape(-1).numpy(), tuple(index.shape[1:])

    def form(self, value: Tensor) -> Form:
        """One row for every position of one sample."""
        return value.form.take(self.sample(value)[0])

    def full(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a traced tensor with samples of this shape."""
        return shape if self.batch is None else (self.batch, *shape)

    def numbers(self, constant: Constant, shape: tuple[int, ...]) -> np.ndarray:
        """A constant spread over one sample of a tensor of this (traced) shape, flat."""
        values = constant.values
        if self.batch is not None and values.ndim == len(shape) and values.shape[0] != 1:
            raise Unreadable("a constant along the batch axis")
        spread = values.expand(shape)
        return doubles(spread if self.batch is None else spread[0]).reshape(-1)


def doubles(tensor: torch.Tensor) -> np.ndarray:
    """A constant as float64, exactly."""
    if not tensor.is_floating_point() and tensor.numel() and int(tensor.abs().max()) > 2**53:
        raise Unreadable("an integer constant beyond 2**53")
    return tensor.detach().to(torch.float64).numpy().copy()
