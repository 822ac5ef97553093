"""Pooling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fiberscope.network.operators.call import Call, operator
from fiberscope.network.operators.linear import padding, torch_padding

MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def window(call: Call) -> tuple[int, list[int], list[int], list[int], list[int]]:
    """Spatial rank, kernel, strides, dilations and ONNX pads of a pooling node."""
    rank = call[0].ndim - 2
    if rank not in MAX_POOL:
        raise call.unsupported(f"an input of rank {call[0].ndim}")
    kernel = call.attributes["kernel_shape"]
    strides = call.attributes.get("strides", [1] * rank)
    dilations = call.attributes.get("dilations", [1] * rank)
    return rank, kernel, strides, dilations, padding(call, tuple(call[0].shape[2:]), kernel, strides, dilations)


def torch_can(pads: list[int], kernel: list[int]) -> bool:
    """torch pads both sides alike and by at most half the kernel."""
    rank = len(kernel)
    return pads[:rank] == pads[rank:] and all(2 * p <= k for p, k in zip(pads, kernel, strict=False))


@operator("MaxPool")
def max_pool(call: Call) -> Tensor:
    if call.outputs > 1 or call.attributes.get("storage_order", 0):
        raise call.unsupported("an output of indices")
    rank, kernel, strides, dilations, pads = window(call)
    ceil = bool(call.attributes.get("ceil_mode", 0))
    x = call[0]
    if not torch_can(pads, kernel):
        x, pads = F.pad(x, torch_padding(pads), value=float("-inf")), [0] * 2 * rank
    return MAX_POOL[rank](x, kernel, strides, pads[:rank], dilations, ceil)


@operator("AveragePool")
def average_pool(call: Call) -> Tensor:
    rank, kernel, strides, dilations, pads = window(call)
    if any(d != 1 for d in dilations):
        raise call.unsupported("a dilation")
    ceil, inside = bool(call.attributes.get("ceil_mode", 0)), bool(call.attributes.get("count_include_pad", 0))
    pool, x = AVERAGE_POOL[rank], call[0]
    if torch_can(pads, kernel):
        return pool(x, kernel, strides, pads[:rank], ceil, inside)
    total = pool(F.pad(x, torch_padding(pads)), kernel, strides, 0, ceil)
    if inside:
        return total
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    return total / pool(F.pad(ones, torch_padding(pads)), kernel, strides, 0, ceil)


@operator("GlobalAveragePool")
def global_average_pool(call: Call) -> Tensor:
    return call[0].mean(list(range(2, call[0].ndim)), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(call: Call) -> Tensor:
    return call[0].amax(list(range(2, call[0].ndim)), keepdim=True)
