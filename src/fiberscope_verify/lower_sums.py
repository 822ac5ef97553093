"""ATen operators that are sums of products or norms in disguise."""

from __future__ import annotations

import math

import numpy as np

from .lower_aten import FLOAT_TYPES
from .lower_layers import per_axis, scale_shift
from .report import Reject, need


def vector_norm(g, self, ord=2, dim=None, keepdim=False, dtype=None):
    """(sum |x|^p)^(1/p) over axes for p = 1, 2, inf."""
    need(dtype is None or dtype in FLOAT_TYPES, "a norm in integers")
    axes = range(len(g.shape(self))) if dim is None or dim == () else dim if isinstance(dim, tuple) else (dim,)
    if ord == 2:
        return g.map("sqrt", g.reduce("sum", g.map("square", self), axes, keepdim))
    need(ord in (1, math.inf), "a norm of this order")
    return g.reduce("sum" if ord == 1 else "max", g.map("abs", self), axes, keepdim)


def trilinear(g, i1, i2, i3, expand1, expand2, expand3, sumdim, unroll_dim=1):
    """sum over `sumdim` of i1 * i2 * i3, each with new axes at its own places."""
    parts = []
    for part, axes in ((i1, expand1), (i2, expand2), (i3, expand3)):
        for axis in sorted(axes):
            part = g.new_axis(part, axis)
        parts.append(part)
    return g.reduce("sum", g.mul(g.mul(parts[0], parts[1]), parts[2]), sumdim, False)


def transposed_convolution(g, x, weight, bias, stride, padding, dilation, output_padding, groups):
    """The adjoint of a convolution: spread the input by the stride, then convolve with the flipped kernel.

    Source: Dumoulin & Visin 2016 (arXiv 1603.07285), relationship 14.
    """
    k = len(g.shape(weight)) - 2
    need(len(g.shape(x)) == k + 2, "transposed convolution without a batch axis")
    stride, padding, dilation, extra = (per_axis(v, k) for v in (stride, padding, dilation, output_padding))
    channels, per_group, *kernel = g.shape(weight)
    need(groups > 0 and channels % groups == 0, "convolution does not fit")
    w = g.reshape(weight, (groups, channels // groups, per_group, *kernel))
    w = g.permute(w, (0, 2, 1, *range(3, 3 + k)))
    w = g.reshape(w, (groups * per_group, channels // groups, *kernel))
    for i in range(k):
        w = g.slice(w, 2 + i, None, None, -1)
        x = spread(g, x, 2 + i, stride[i])
    pads = []
    for i in range(k):
        edge = dilation[i] * (kernel[i] - 1) - padding[i]
        pads.append((edge, edge + extra[i]))
    out = g.conv(x, w, (1,) * k, tuple(pads), dilation, groups)
    return out if bias is None else g.add(out, g.along(bias, 1, k + 2))


def spread(g, v, axis, step):
    """step - 1 zeros between neighbours along an axis."""
    if step == 1:
        return v
    shape = g.shape(v)
    v = g.new_axis(v, axis + 1)
    v = g.pad(v, tuple((0, step - 1 if i == axis + 1 else 0) for i in range(len(shape) + 1)), 0.0)
    v = g.reshape(v, (*shape[:axis], shape[axis] * step, *shape[axis + 1 :]))
    return g.slice(v, axis, 0, (shape[axis] - 1) * step + 1)


def upsample_nearest(g, self, output_size: tuple | None, scales_h: tuple | float | None = None, scales_w=None):
    """Every number repeated by a whole factor along both spatial axes (overloads default and vec)."""
    *lead, height, width = g.shape(self)
    if output_size is None:
        if not isinstance(scales_h, tuple) or not all(float(s).is_integer() for s in scales_h):
            raise Reject("upsampling by a fraction")
        output_size, scales_h = (int(height * scales_h[0]), int(width * scales_h[1])), None
    rows, columns = output_size
    for size, want, scale in ((height, rows, scales_h), (width, columns, scales_w)):
        need(0 < size <= want <= 1 << 20 and want % size == 0, "upsampling by a fraction")
        need(scale is None or scale == want // size, "upsampling by a fraction")
        there = np.arange(want, dtype=np.float32) * np.float32(size / want)  # torch finds the source in float32
        need(np.array_equal(np.floor(there), np.arange(want) // (want // size)), "upsampling that depends on rounding")
    v = g.reshape(self, (*lead, height, 1, width, 1))
    v = g.expand(v, (*lead, height, rows // height, width, columns // width))
    return g.reshape(v, (*lead, rows, columns))


def batch_statistics(g, input, weight, bias, training, momentum, eps, *rest):
    """Normalisation by the mean and variance over all axes but the second (overload no_stats)."""
    need(training and not rest and isinstance(momentum, float), "batch norm with running statistics")
    axes = [i for i in range(len(g.shape(input))) if i != 1]
    out = g.normalise(input, axes, eps)
    return (scale_shift(g, out, weight, bias, len(g.shape(input))), None, None)
