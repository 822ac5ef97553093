"""Operators that move elements without computing."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from fiberscope.errors import LoadError
from fiberscope.network.operators.call import Call, operator
from fiberscope.network.operators.linear import torch_padding


@operator("Shape")
def shape(call: Call) -> Tensor:
    rank = call[0].ndim
    start, end = call.attributes.get("start", 0), call.attributes.get("end", rank)
    return torch.tensor(list(call[0].shape)[start:end], dtype=torch.int64)


@operator("Size")
def size(call: Call) -> Tensor:
    return torch.tensor(call[0].numel(), dtype=torch.int64)


@operator("Reshape", hyperparameters=(1,))
def reshape(call: Call) -> Tensor:
    x = call[0]
    target = call.ints(1) if call.opset >= 5 else call.attributes.get("shape")
    if target is None:
        raise LoadError(f"{call.where}: the target shape is missing")
    if not call.attributes.get("allowzero", 0):
        target = [x.shape[axis] if n == 0 else n for axis, n in enumerate(target)]
    return x.reshape(target)


@operator("Flatten")
def flatten(call: Call) -> Tensor:
    x, axis = call[0], call.attributes.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


@operator("Transpose")
def transpose(call: Call) -> Tensor:
    return call[0].permute(call.attributes.get("perm", list(reversed(range(call[0].ndim)))))


@operator("Squeeze", hyperparameters=(1,))
def squeeze(call: Call) -> Tensor:
    x = call[0]
    axes = call.ints_of("axes", 1, 13)
    if axes is None:
        axes = [axis for axis, n in enumerate(x.shape) if n == 1]
    gone = {axis % x.ndim for axis in axes}
    if any(x.shape[axis] != 1 for axis in gone):
        raise LoadError(f"{call.where}: cannot squeeze axes {sorted(gone)} of shape {list(x.shape)}")
    return x.reshape([n for axis, n in enumerate(x.shape) if axis not in gone])


@operator("Unsqueeze", hyperparameters=(1,))
def unsqueeze(call: Call) -> Tensor:
    x = call[0]
    axes = call.ints_of("axes", 1, 13) or []
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operator("Concat")
def concat(call: Call) -> Tensor:
    return torch.cat([x for x in call.inputs if x is not None], call.attributes.get("axis", 1))


@operator("Split", hyperparameters=(1,))
def split(call: Call) -> tuple[Tensor, ...]:
    x, axis = call[0], call.attributes.get("axis", 0)
    sizes = call.ints_of("split", 1, 13)
    if not sizes:
        parts = call.attributes.get("num_outputs", call.outputs)
        each = -(-x.shape[axis] // parts)
        sizes = [each] * (parts - 1) + [x.shape[axis] - each * (parts - 1)]
    return tuple(torch.split(x, sizes, axis))


@operator("Expand", hyperparameters=(1,))
def expand(call: Call) -> Tensor:
    target = call.ints(1)
    if target is None:
        raise LoadError(f"{call.where}: the target shape is missing")
    return call[0].expand(torch.broadcast_shapes(tuple(call[0].shape), tuple(target)))


@operator("Tile", hyperparameters=(1,))
def tile(call: Call) -> Tensor:
    return call[0].repeat(call.ints(1) or [])


@operator("Pad", hyperparameters=(1, 2, 3))
def pad(call: Call) -> Tensor:
    x, mode = call[0], call.attributes.get("mode", "constant")
    pads = call.ints_of("pads", 1, 11)
    if pads is None:
        raise LoadError(f"{call.where}: the pads are missing")
    value = call.attributes.get("value", 0.0)
    if call.opset >= 11 and (given := call.value(2)) is not None and given.size == 1:
        value = given.item()
    if (axes := call.ints(3)) is not None:
        full = [0] * 2 * x.ndim
        for i, axis in enumerate(axes):
            full[axis % x.ndim], full[axis % x.ndim + x.ndim] = pads[i], pads[i + len(axes)]
        pads = full
    if mode == "constant":
        return F.pad(x, torch_padding(pads), value=value)
    if mode == "wrap" or min(pads) < 0:
        raise call.unsupported(f"mode {mode!r} with pads {pads}")
    for axis in range(x.ndim):  # by gathering, so that any axis and rank works
        before, after, n = pads[axis], pads[axis + x.ndim], x.shape[axis]
        if before or after:
            places = torch.arange(-before, n + after)
            places = places.clamp(0, n - 1) if mode == "edge" else (n - 1) - ((n - 1) - places.abs()).abs()
            x = x.index_select(axis, places)
    return x


@operator("DepthToSpace")
def depth_to_space(call: Call) -> Tensor:
    x, b = call[0], call.attributes["blocksize"]
    n, c, h, w = x.shape
    if call.attributes.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, b)
    y = x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
    return y.reshape(n, c // (b * b), h * b, w * b)


@operator("SpaceToDepth")
def space_to_depth(call: Call) -> Tensor:
    x, b = call[0], call.attributes["blocksize"]
    n, c, h, w = x.shape
    return x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


@operator("Trilu", hyperparameters=(1,))
def trilu(call: Call) -> Tensor:
    offset = (call.ints(1) or [0])[0]
    return torch.triu(call[0], offset) if call.attributes.get("upper", 1) else torch.tril(call[0], offset)
