"""Resize and Upsample, nearest and linear."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fiberscope.network.operators.call import Call, operator

LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}


@operator("Upsample", hyperparameters=(1,))
def upsample(call: Call) -> Tensor:
    scales = call.floats(1) if call.opset >= 9 else call.attributes.get("scales")
    return resize_to(call, scales, None, call.attributes.get("mode", "nearest"), "asymmetric", "floor")


@operator("Resize", hyperparameters=(1, 2, 3))
def resize(call: Call) -> Tensor:
    old = call.opset < 11
    scales = call.floats(1) if old else call.floats(2)
    sizes = None if old else call.ints(3)
    attributes = call.attributes
    if attributes.get("antialias", 0) or attributes.get("exclude_outside", 0):
        raise call.unsupported("antialias or exclude_outside")
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise call.unsupported("keep_aspect_ratio_policy")
    if (axes := attributes.get("axes")) is not None:
        rank = call[0].ndim
        places = [axis % rank for axis in axes]
        if scales:
            scales = [scales[places.index(a)] if a in places else 1.0 for a in range(rank)]
        if sizes:
            sizes = [sizes[places.index(a)] if a in places else call[0].shape[a] for a in range(rank)]
    transform = "asymmetric" if old else attributes.get("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else attributes.get("nearest_mode", "round_prefer_floor")
    return resize_to(call, scales, sizes, attributes.get("mode", "nearest"), transform, rounding)


def resize_to(
    call: Call, scales: list[float] | None, sizes: list[int] | None, mode: str, transform: str, rounding: str
) -> Tensor:
    """Resize by ``scales`` or to ``sizes``, one entry per axis."""
    x = call[0]
    if sizes:
        scales = [n / m for n, m in zip(sizes, x.shape, strict=True)]
    elif scales:
        sizes = [math.floor(m * s) for m, s in zip(x.shape, scales, strict=True)]
    else:
        raise call.unsupported("a missing size and scale")
    if mode == "nearest":
        whole = [n % m == 0 for n, m in zip(sizes, x.shape, strict=True)]
        plain = (transform, rounding) in {("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")}
        if all(whole) and plain and x.ndim in LINEAR and sizes[:2] == list(x.shape[:2]):
            return F.interpolate(x, sizes[2:], mode="nearest")
        for axis, (m, n, s) in enumerate(zip(x.shape, sizes, scales, strict=True)):
            if m != n:
                x = x.index_select(axis, nearest_places(call, m, n, s, transform, rounding))
        return x
    if mode != "linear" or x.ndim not in LINEAR or sizes[:2] != list(x.shape[:2]):
        raise call.unsupported(f"mode {mode!r} on shape {list(x.shape)}")
    if transform == "align_corners":
        return F.interpolate(x, sizes[2:], mode=LINEAR[x.ndim], align_corners=True)
    exact = all(abs(n / m - s) < 1e-7 for m, n, s in zip(x.shape, sizes, scales, strict=True))
    if not exact or (transform != "half_pixel" and not (transform == "pytorch_half_pixel" and min(sizes[2:]) > 1)):
        raise call.unsupported(f"linear mode with {transform!r} and scales {scales}")
    return F.interpolate(x, sizes[2:], mode=LINEAR[x.ndim], align_corners=False)


def nearest_places(call: Call, size: int, target: int, scale: float, transform: str, rounding: str) -> Tensor:
    """For each output place along one axis, the input place it copies."""
    y = torch.arange(target, dtype=torch.float64)
    if transform == "asymmetric":
        place = y / scale
    elif transform == "half_pixel" or (transform == "pytorch_half_pixel" and target > 1):
        place = (y + 0.5) / scale - 0.5
    elif transform == "pytorch_half_pixel":
        place = y * 0
    elif transform == "align_corners":
        place = y * ((size - 1) / (target - 1)) if target > 1 else y * 0
    else:
        raise call.unsupported(f"coordinate_transformation_mode {transform!r}")
    if rounding == "floor":
        place = place.floor()
    elif rounding == "ceil":
        place = place.ceil()
    elif rounding == "round_prefer_floor":
        place = (place - 0.5).ceil()
    else:
        place = (place + 0.5).floor()
    return place.clamp(0, size - 1).long()
