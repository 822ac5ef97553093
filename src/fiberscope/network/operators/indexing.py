"""Slices, gathers and constant tensors made from shapes."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fiberscope.errors import LoadError
from fiberscope.network.operators.call import Call, operator

MAX_ELEMENTS = 1 << 28


@operator("Slice", hyperparameters=(1, 2, 3, 4))
def slice_(call: Call) -> Tensor:
    x = call[0]
    if call.opset >= 10:
        starts, ends, axes, steps = (call.ints(i) for i in (1, 2, 3, 4))
    else:
        starts, ends, axes = (call.attributes.get(k) for k in ("starts", "ends", "axes"))
        steps = None
    if starts is None or ends is None:
        raise LoadError(f"{call.where}: starts or ends are missing")
    axes = list(range(len(starts))) if axes is None else axes
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        axis %= x.ndim
        first, last, stride = slice(start, end, step).indices(x.shape[axis])
        if stride > 0:
            if (first, last, stride) != (0, x.shape[axis], 1):
                x = x[(slice(None),) * axis + (slice(first, max(first, last), stride),)]
        else:
            x = x.index_select(axis, torch.arange(first, last, stride))
    return x


@operator("Gather")
def gather(call: Call) -> Tensor:
    x, index, known = call[0], call[1], call.known[1]
    axis = call.attributes.get("axis", 0) % x.ndim
    if known is not None:
        if known.size and (int(known.min()) < -x.shape[axis] or int(known.max()) >= x.shape[axis]):
            raise LoadError(f"{call.where}: an index lies outside axis {axis} of shape {list(x.shape)}")
        if known.ndim == 0:
            return x.select(axis, int(known))
        known = np.where(known < 0, known + x.shape[axis], known).astype(np.int64)
        if known.ndim == 1 and known.size > 0:
            steps = np.unique(np.diff(known))
            if steps.size == 0 or (steps.size == 1 and steps[0] > 0):  # an arithmetic progression is a slice
                step = int(steps[0]) if steps.size else 1
                return x[(slice(None),) * axis + (slice(int(known[0]), int(known[-1]) + 1, step),)]
    index = index.long()
    if axis == 0 and x.ndim == 2 and x.is_floating_point() and call.known[0] is None and call.extra.get("weight"):
        return F.embedding(index if known is not None else torch.where(index < 0, index + x.shape[0], index), x)
    index = torch.where(index < 0, index + x.shape[axis], index)
    y = x.index_select(axis, index.reshape(-1))
    return y.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


@operator("GatherElements")
def gather_elements(call: Call) -> Tensor:
    axis = call.attributes.get("axis", 0)
    index = call[1].long()
    return call[0].gather(axis, torch.where(index < 0, index + call[0].shape[axis], index))


@operator("GatherND")
def gather_nd(call: Call) -> Tensor:
    if call.attributes.get("batch_dims", 0):
        raise call.unsupported("batch_dims")
    return call[0][tuple(call[1].long().unbind(-1))]


@operator("ConstantOfShape", hyperparameters=(0,))
def constant_of_shape(call: Call) -> Tensor:
    size = call.ints(0) or []
    if min(size, default=0) < 0 or prod(size) > MAX_ELEMENTS:
        raise LoadError(f"{call.where}: refuses to make a constant of shape {size}")
    value = call.attributes.get("value")
    return torch.full(size, 0.0) if value is None else torch.full(size, value.reshape(-1)[0].item(), dtype=value.dtype)


@operator("Range", hyperparameters=(0, 1, 2))
def range_(call: Call) -> Tensor:
    values = [call.value(i) for i in range(3)]
    if any(v is None for v in values):
        raise LoadError(f"{call.where}: needs start, limit and delta")
    start, limit, delta = (v.item() for v in values if v is not None)
    if delta == 0 or abs((limit - start) / delta) > MAX_ELEMENTS:
        raise LoadError(f"{call.where}: refuses a range from {start} to {limit} by {delta}")
    return torch.arange(start, limit, delta, dtype=call[0].dtype)


@operator("OneHot", hyperparameters=(1,))
def one_hot(call: Call) -> Tensor:
    depth = (call.ints(1) or [0])[0]
    if not 0 < depth <= MAX_ELEMENTS:
        raise LoadError(f"{call.where}: refuses a depth of {depth}")
    index = call[0].long()
    index = torch.where(index < 0, index + depth, index)
    off, on = call[2].reshape(-1).unbind(0)
    hit = index.unsqueeze(-1) == torch.arange(depth)
    axis = call.attributes.get("axis", -1)
    return torch.where(hit, on, off).movedim(-1, axis)
