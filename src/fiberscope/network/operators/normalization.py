"""Normalisations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fiberscope.network.operators.call import Call, operator


@operator("BatchNormalization", weights=(1, 2, 3, 4))
def batch_normalization(call: Call) -> Tensor:
    if call.attributes.get("training_mode", 0) or (call.opset < 14 and call.outputs > 1):
        raise call.unsupported("training mode")
    if not call.attributes.get("spatial", 1):
        raise call.unsupported("spatial = 0")
    return F.batch_norm(call[0], call[3], call[4], call[1], call[2], False, 0.1, call.attributes.get("epsilon", 1e-5))


@operator("InstanceNormalization", weights=(1, 2))
def instance_normalization(call: Call) -> Tensor:
    return F.instance_norm(call[0], weight=call[1], bias=call[2], eps=call.attributes.get("epsilon", 1e-5))


@operator("LayerNormalization", weights=(1, 2))
def layer_normalization(call: Call) -> Tensor:
    if call.outputs > 1:
        raise call.unsupported("an output for the mean or the deviation")
    x = call[0]
    shape = list(x.shape[call.attributes.get("axis", -1) % x.ndim :])
    weight, bias = call[1], call.get(2)
    weight = weight if list(weight.shape) == shape else weight.expand(shape)
    bias = bias if bias is None or list(bias.shape) == shape else bias.expand(shape)
    return F.layer_norm(x, shape, weight, bias, call.attributes.get("epsilon", 1e-5))


@operator("RMSNormalization", weights=(1,))
def rms_normalization(call: Call) -> Tensor:
    x = call[0]
    axes = list(range(call.attributes.get("axis", -1) % x.ndim, x.ndim))
    mean = x.pow(2).mean(axes, keepdim=True)
    return x * torch.rsqrt(mean + call.attributes.get("epsilon", 1e-5)) * call[1]


@operator("GroupNormalization", weights=(1, 2))
def group_normalization(call: Call) -> Tensor:
    x, groups = call[0], call.attributes["num_groups"]
    weight, bias = call[1], call[2]
    if call.opset < 21:  # one gain per group before opset 21
        repeat = x.shape[1] // groups
        weight, bias = weight.repeat_interleave(repeat), bias.repeat_interleave(repeat)
    return F.group_norm(x, groups, weight, bias, call.attributes.get("epsilon", 1e-5))


@operator("LpNormalization")
def lp_normalization(call: Call) -> Tensor:
    x, axis, p = call[0], call.attributes.get("axis", -1), call.attributes.get("p", 2)
    norm = x.abs().sum(axis, keepdim=True) if p == 1 else torch.sqrt((x * x).sum(axis, keepdim=True))
    return x / torch.where(norm == 0, torch.ones_like(norm), norm)


@operator("MeanVarianceNormalization")
def mean_variance_normalization(call: Call) -> Tensor:
    x, axes = call[0], call.attributes.get("axes", [0, 2, 3])
    centred = x - x.mean(axes, keepdim=True)
    return centred / (torch.sqrt((centred * centred).mean(axes, keepdim=True)) + 1e-9)


@operator("LRN")
def local_response_normalization(call: Call) -> Tensor:
    size = call.attributes["size"]
    alpha, beta, bias = (call.attributes.get(k, v) for k, v in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    x = call[0]
    square = F.pad((x * x).movedim(1, -1), ((size - 1) // 2, size // 2))
    return x / torch.pow(bias + alpha / size * square.unfold(-1, size, 1).sum(-1).movedim(-1, 1), beta)
