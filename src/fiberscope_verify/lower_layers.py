"""The layers of networks in the core vocabulary, under the argument names of their ATen operators."""

from __future__ import annotations

import math

import numpy as np

from .report import need


def linear(g, input, weight, bias=None):
    out = g.matmul(input, g.permute(weight, [1, 0]))
    return out if bias is None else g.add(out, bias)


def addmm(g, self, mat1, mat2, beta=1, alpha=1):
    """beta self + alpha mat1 mat2, with beta and alpha numbers."""
    need(all(isinstance(v, int | float) and math.isfinite(v) for v in (beta, alpha)), "addmm with such factors")
    product = g.matmul(mat1, mat2)
    product = product if alpha == 1 else g.mul(product, g.lit(alpha))
    return g.add(product, self if beta == 1 else g.mul(self, g.lit(beta)))


def per_axis(x, k):
    x = tuple(x) if isinstance(x, tuple) else (x,)
    return x * k if len(x) == 1 else x


def convolution(g, input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    if transposed:
        from .lower_sums import transposed_convolution

        return transposed_convolution(g, input, weight, bias, stride, padding, dilation, output_padding, groups)
    k = len(g.shape(weight)) - 2
    return conv(g, input, weight, bias, stride, padding, dilation, groups, k)


def conv(g, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, k=None):
    k = k or len(g.shape(weight)) - 2
    need(not isinstance(padding, str), "convolution with named padding")
    lift = len(g.shape(input)) == k + 1
    x = g.new_axis(input, 0) if lift else input
    pads = tuple((p, p) for p in per_axis(padding, k))
    out = g.conv(x, weight, per_axis(stride, k), pads, per_axis(dilation, k), groups)
    out = out if bias is None else g.add(out, g.along(bias, 1, k + 2))
    return g.drop_axis(out, 0) if lift else out


def scale_shift(g, v, weight, bias, rank):
    v = v if weight is None else g.mul(v, g.along(weight, 1, rank))
    return v if bias is None else g.add(v, g.along(bias, 1, rank))


def batch_norm_inference(g, input, weight, bias, running_mean, running_var, momentum, eps):
    rank = len(g.shape(input))
    centred = g.sub(input, g.along(running_mean, 1, rank))
    spread = g.map("rsqrt", g.add(g.along(running_var, 1, rank), g.lit(eps)))
    return (scale_shift(g, g.mul(centred, spread), weight, bias, rank), None, None)


def batch_norm(g, input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled=False):
    need(not training, "batch norm in training mode")
    return batch_norm_inference(g, input, weight, bias, running_mean, running_var, momentum, eps)[0]


def native_layer_norm(g, input, normalized_shape, weight, bias, eps):
    return (layer_norm(g, input, normalized_shape, weight, bias, eps), None, None)


def layer_norm(g, input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=False):
    out = g.normalise(input, range(-len(normalized_shape), 0), eps)
    out = out if weight is None else g.mul(out, weight)
    return out if bias is None else g.add(out, bias)


def native_group_norm(g, input, weight, bias, N, C, HxW, group, eps):
    return (group_norm(g, input, group, weight, bias, eps), None, None)


def group_norm(g, input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=False):
    shape = g.shape(input)
    split = g.reshape(input, (shape[0], num_groups, -1, *shape[2:]))
    out = g.normalise(split, range(2, len(shape) + 1), eps)
    return scale_shift(g, g.reshape(out, shape), weight, bias, len(shape))


def sdpa(g, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    need(dropout_p == 0 and not enable_gqa, "attention with dropout or shared heads")
    rank = len(g.shape(key))
    factor = g.lit(scale) if scale is not None else g.map("rsqrt", g.lit(g.shape(query)[-1]))
    score = g.mul(g.matmul(query, g.permute(key, [*range(rank - 2), rank - 1, rank - 2])), factor)
    if is_causal:
        n, m = g.shape(score)[-2:]
        score = g.emit("where", (g.constant(np.tri(n, m, dtype=bool)), score, g.lit(-math.inf)), (), g.shape(score))
    if attn_mask is not None:
        need(attn_mask not in g.known, "boolean attention mask")
        score = g.add(score, attn_mask)
    return g.matmul(g.softmax(score, -1), value)


def flash(g, query, key, value, dropout_p=0.0, is_causal=False, attn_mask=None, scale=None):
    return (sdpa(g, query, key, value, attn_mask, dropout_p, is_causal, scale), None)


def max_pool(k):
    def rule(g, self, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False):
        kernel = per_axis(kernel_size, k)
        pads = [(p, p) for p in per_axis(padding, k)]
        stride = per_axis(stride or kernel, k)
        return g.window("max", self, kernel, stride, pads, per_axis(dilation, k), True, ceil_mode)

    return rule


def avg_pool(k):
    def rule(
        g, self, kernel_size, stride=(), padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
    ):
        need(divisor_override is None, "average pooling with a divisor")
        kernel = per_axis(kernel_size, k)
        pads = [(p, p) for p in per_axis(padding, k)]
        return g.window(
            "mean", self, kernel, per_axis(stride or kernel, k), pads, (1,) * k, count_include_pad, ceil_mode
        )

    return rule


def adaptive(kind, k):
    def rule(g, self, output_size):
        shape, size = g.shape(self), per_axis(output_size, k)
        need(all(s % o == 0 for s, o in zip(shape[-k:], size, strict=True)), "adaptive pooling with uneven windows")
        kernel = tuple(s // o for s, o in zip(shape[-k:], size, strict=True))
        return g.window(kind, self, kernel, kernel, [(0, 0)] * k, (1,) * k)

    return rule
