"""Exact arithmetic on affine maps while a chain is read: shifts, scales, products with a constant matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from fiberscope.equivalence.chain import Affine, Source
from fiberscope.equivalence.chain_values import (
    Base,
    Constant,
    Elementwise,
    Map,
    NotAChain,
    Product,
    doubles,
)
from fiberscope.numerics import exact
from fiberscope.numerics.tolerance import MAX_EXACT_PRODUCTS


class Frame:
    """How one sample lies in the tensors of a traced graph: along axis 0 of size ``batch``, or alone (None)."""

    batch: int | None

    def resolve(self, value: Any) -> Map:
        """An affine map for any pending value (the walk knows how to open a new layer)."""
        raise NotImplementedError

    def fresh(self, base: Base, shape: tuple[int, ...]) -> Map:
        return Map(base, None, base.size, self.positions(shape, base.size))

    def positions(self, shape: tuple[int, ...], size: int) -> torch.Tensor:
        copies = self.batch or 1
        if self.batch is not None and (not shape or shape[0] != self.batch):
            raise NotAChain("the batch axis is not the first axis")
        count = int(np.prod(shape, dtype=np.int64))
        if count != copies * size:
            raise NotAChain("sizes do not fit")
        return torch.arange(count).reshape(shape)

    def sample(self, value: Map) -> tuple[np.ndarray, tuple[int, ...]]:
        """Row number of every position of one sample (flat), and the sample's shape."""
        index = value.index
        if self.batch is None:
            return index.reshape(-1).numpy(), tuple(index.shape)
        if index.ndim == 0 or index.shape[0] != self.batch:
            raise NotAChain("the batch axis is not the first axis")
        offset = torch.arange(self.batch).reshape(-1, *([1] * (index.ndim - 1))) * value.rows
        if not torch.equal(index, index[:1] + offset):
            raise NotAChain("samples of a batch mix")
        return index[0].reshape(-1).numpy(), tuple(index.shape[1:])

    def affine(self, value: Map) -> Affine:
        """The affine map with one row per position of one sample."""
        rows, _ = self.sample(value)
        if value.affine is None:
            if value.rows > 8192:
                raise NotAChain("an elementwise map of more than 8192 units")
            return Affine(np.eye(value.rows)[rows], np.zeros(len(rows)))
        if len(rows) == value.rows and (rows == np.arange(len(rows))).all():
            return value.affine
        a = value.affine
        columns = np.arange(a.weight.shape[1])
        return Affine(
            a.weight[rows],
            a.bias[rows],
            a.weight_source.take(rows, columns) if a.weight_source else None,
            a.bias_source.take(rows) if a.bias_source else None,
            a.inner,
        )

    def shift_or_scale(self, op: str, arguments: list[Any], shape: tuple[int, ...]) -> Map:
        if op not in ("add", "sub", "mul", "div") or len(arguments) != 2:
            raise NotAChain(op)
        left, right = arguments
        flipped = isinstance(left, Constant)
        value, constant = (right, left) if flipped else (left, right)
        if not isinstance(value, (Map, Elementwise, Product)) or not isinstance(constant, Constant):
            raise NotAChain(op)
        if op == "div" and flipped:
            raise NotAChain("division by a hidden unit")
        value = self.resolve(value)
        if tuple(value.index.shape) != shape:
            value = replace(value, index=value.index.expand(shape))
        numbers, place = constant.values.expand(shape), None
        if constant.place is not None:
            place = constant.place.expand(shape)
        if self.batch is not None:
            if constant.values.ndim == len(shape) and constant.values.shape[0] != 1:
                raise NotAChain("a constant along the batch axis")
            numbers, place = numbers[0], None if place is None else place[0]
        flat = doubles(numbers).reshape(-1)
        source = None
        if place is not None:
            source = constant.source(place.reshape(-1).numpy())
        rows, sample_shape = self.sample(value)
        if op in ("add", "sub"):
            result = self.shifted(value, flat, source, op, flipped)
        else:
            result = self.scaled(value, flat, op)
        full = (self.batch, *sample_shape) if self.batch is not None else sample_shape
        return Map(value.base, result, len(rows), self.positions(full, len(rows)))

    def shifted(self, value: Map, flat: np.ndarray, source: Source | None, op: str, flipped: bool) -> Affine:
        if value.affine is None and op == "sub" and not flipped and not flat.any():
            return self.affine(value)
        a = self.affine(value)
        weight, bias, weight_source, bias_source = a.weight, a.bias, a.weight_source, a.bias_source
        if op == "sub" and flipped:
            weight, bias, weight_source, bias_source = -weight, -bias, None, None
        if op == "sub" and not flipped:
            flat, source = -flat, None
        if bias.dtype != object and not bias.any():
            return Affine(weight, flat, weight_source, source, a.inner)
        if not flat.any():
            return Affine(weight, bias, weight_source, bias_source, a.inner)
        return Affine(weight, exact.add(bias, flat), weight_source, None, a.inner)

    def scaled(self, value: Map, flat: np.ndarray, op: str) -> Affine:
        a = self.affine(value)
        if op == "div":
            if not flat.all():
                raise NotAChain("division by zero")
            inverse = exact.simplify(1 / exact.rationals(flat))
        else:
            inverse = flat
        return Affine(exact.multiply(a.weight, inverse[:, None]), exact.multiply(a.bias, inverse), inner=a.inner)

    def composed(self, value: Map, rows: np.ndarray, numbers: np.ndarray, source: Source | None) -> Affine:
        """``numbers @ (the map's rows)``: the stored weight itself when the map is the base in some order."""
        size = value.base.size
        plain = value.affine is None
        shift = None
        selected = rows
        if not plain:
            a = value.affine
            assert a is not None
            shift = a.bias[rows]
            if a.weight.dtype != object and a.weight.shape[0] == size and np.array_equal(a.weight, np.eye(size)):
                plain = True
        if plain and len(set(selected.tolist())) == len(selected):
            weight = np.zeros((numbers.shape[0], size))
            weight[:, selected] = numbers
            if source is not None:
                index = np.full(weight.shape, -1, dtype=np.int64)
                index[:, selected] = source.index
                source = replace(source, index=index)
        else:
            inner = self.affine(value).weight
            if numbers.shape[0] * numbers.shape[1] * inner.shape[1] > MAX_EXACT_PRODUCTS:
                raise NotAChain("too large to compose two linear maps exactly")
            weight, source = exact.matmul(numbers, inner), None
        bias = np.zeros(numbers.shape[0])
        if shift is not None and bool(np.asarray(shift != 0, dtype=bool).any()):
            bias = exact.matmul(numbers, shift[:, None])[:, 0]
        before = None if value.affine is None else value.affine.inner
        return Affine(weight, bias, source, None, () if before is None else (*before, len(rows)))
