"""Linear maps: matrix products, convolutions and their transposes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fiberscope.network.operators.call import Call, operator

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@operator("MatMul", weights=(0, 1))
def matmul(call: Call) -> Tensor:
    return torch.matmul(call[0], call[1])


@operator("Gemm", weights=(0, 1, 2))
def gemm(call: Call) -> Tensor:
    a, b, c = call[0], call[1], call.get(2)
    alpha, beta = call.attributes.get("alpha", 1.0), call.attributes.get("beta", 1.0)
    a = a.t() if call.attributes.get("transA", 0) else a
    plain = alpha == 1.0 and beta == 1.0
    if plain and call.attributes.get("transB", 0) and (c is None or c.shape == b.shape[:1]):
        return F.linear(a, b, c)
    b = b.t() if call.attributes.get("transB", 0) else b
    if c is None:
        product = a @ b
        return product if alpha == 1.0 else product * alpha
    return torch.addmm(c, a, b, beta=beta, alpha=alpha)


@operator("Einsum")
def einsum(call: Call) -> Tensor:
    return torch.einsum(call.attributes["equation"], *[x for x in call.inputs if x is not None])


def padding(
    call: Call, spatial: tuple[int, ...], kernel: list[int], strides: list[int], dilations: list[int]
) -> list[int]:
    """ONNX padding (all begins, then all ends) with ``auto_pad`` worked out."""
    rank = len(spatial)
    mode = call.attributes.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return list(call.attributes.get("pads", [0] * 2 * rank))
    if mode == "VALID":
        return [0] * 2 * rank
    begins, ends = [], []
    for size, k, s, d in zip(spatial, kernel, strides, dilations, strict=True):
        total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
        small, large = total // 2, total - total // 2
        begins.append(small if mode == "SAME_UPPER" else large)
        ends.append(large if mode == "SAME_UPPER" else small)
    return begins + ends


def torch_padding(pads: list[int]) -> list[int]:
    """ONNX order (begins, ends; first axis first) to the order of ``F.pad`` (last axis first, begin and end)."""
    rank = len(pads) // 2
    return [pads[axis + side * rank] for axis in reversed(range(rank)) for side in (0, 1)]


@operator("Conv", weights=(1, 2))
def conv(call: Call) -> Tensor:
    x, weight, bias = call[0], call[1], call.get(2)
    rank = x.ndim - 2
    if rank not in CONV:
        raise call.unsupported(f"an input of rank {x.ndim}")
    strides = call.attributes.get("strides", [1] * rank)
    dilations = call.attributes.get("dilations", [1] * rank)
    pads = padding(call, tuple(x.shape[2:]), list(weight.shape[2:]), strides, dilations)
    if pads[:rank] != pads[rank:] or min(pads) < 0:
        x, pads = F.pad(x, torch_padding(pads)), [0] * 2 * rank
    return CONV[rank](x, weight, bias, strides, pads[:rank], dilations, call.attributes.get("group", 1))


@operator("ConvTranspose", weights=(1, 2))
def conv_transpose(call: Call) -> Tensor:
    x, weight, bias = call[0], call[1], call.get(2)
    rank = x.ndim - 2
    if rank not in CONV_TRANSPOSE:
        raise call.unsupported(f"an input of rank {x.ndim}")
    strides = call.attributes.get("strides", [1] * rank)
    dilations = call.attributes.get("dilations", [1] * rank)
    extra = call.attributes.get("output_padding", [0] * rank)
    kernel = list(weight.shape[2:])
    full = [
        s * (n - 1) + e + d * (k - 1) + 1
        for n, k, s, d, e in zip(x.shape[2:], kernel, strides, dilations, extra, strict=True)
    ]
    mode = call.attributes.get("auto_pad", "NOTSET")
    pads = list(call.attributes.get("pads", [0] * 2 * rank))
    sizes = call.attributes.get("output_shape")
    if sizes is None and mode.startswith("SAME"):
        sizes = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if sizes is not None:
        totals = [f - n for f, n in zip(full, sizes[-rank:], strict=True)]
        if min(totals) < 0:
            raise call.unsupported("an output_shape larger than the full output")
        begins = [t // 2 if mode == "SAME_UPPER" else t - t // 2 for t in totals]
        pads = begins + [t - b for t, b in zip(totals, begins, strict=True)]
    group = call.attributes.get("group", 1)
    if pads[:rank] == pads[rank:]:
        return CONV_TRANSPOSE[rank](x, weight, bias, strides, pads[:rank], extra, group, dilations)
    y = CONV_TRANSPOSE[rank](x, weight, bias, strides, 0, extra, group, dilations)
    for axis in range(rank):
        y = y.narrow(2 + axis, pads[axis], full[axis] - pads[axis] - pads[rank + axis])
    return y
