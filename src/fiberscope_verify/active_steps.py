"""The step "active": units that are nowhere negative, being linear, replaced by fewer that carry the same.

{"step": "active", "side", "layer", "units", "weight", "bias", "next_weight", "next_bias"}: the layer below has no
negative values, and these units S have weights and biases that are not negative either, so rho(z) = z there for every
input; so it is for the new units (weight W', bias c'), which stand after the others. With V the weights that read S,

    V W = V' W',    V c + b = V' c' + b',

in rationals; ``next_weight`` is V', ``next_bias`` is b'.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .affine import dot, plus
from .certificate import Certificate, fields, whole
from .chain import Chain
from .exact import exact
from .report import need
from .trees import X

NEVER_NEGATIVE = {"relu", "abs", "square", "sigmoid", "exp"}
KEEPS_POSITIVE = {"relu", "leaky_relu", "abs"}  # rho(z) = z for z >= 0


def replace_active(certificate: Certificate, chain: Chain, step: dict) -> None:
    """Checks the step and makes the replacement."""
    names = ("weight", "bias", "next_weight", "next_bias")
    _, layer, units, *arrays = fields(step, "active", "side", "layer", "units", *names)
    at = whole(layer, 2, len(chain.layers), "layer")
    below, here, after = chain.layers[at - 2].activation, chain.layers[at - 1], chain.layers[at]
    floor = below is not None and below[0] == "map" and below[1] in NEVER_NEGATIVE
    need(floor, f"layer {at} may read negative values")
    tree = here.activation
    straight = tree is not None and tree[0] == "map" and tree[1] in KEEPS_POSITIVE and tree[3] == X
    need(straight, f"layer {at} has an activation that changes positive numbers")
    units = certificate.array(units, "i")
    weight, bias, following, constant = (certificate.array(name, "f") for name in arrays)
    (width, n), k, made = here.weight.shape, len(after.bias), len(bias)
    good = len(np.unique(units)) == len(units) and bool(np.all((units >= 0) & (units < width)))
    need(good, f"layer {at}: no such unit, or one twice")
    need(len(weight) == made * n and len(following) == made * k, f"layer {at}: the new weights have the wrong size")
    need(len(constant) == k, f"layer {at}: the new bias has the wrong size")
    weight, following = weight.reshape(made, n), following.reshape(k, made)
    for w, c in ((here.weight[units], here.bias[units]), (weight, bias)):
        need(not np.any(w < 0) and not np.any(c < 0), f"layer {at}: a unit may be negative")
    read = after.weight[:, units]
    same = exact(dot(read, here.weight[units])) == exact(dot(following, weight))
    need(bool(np.all(same)), f"layer {at}: the new units do not carry what is read")
    zero = np.zeros(k)
    shifts = [(read, here.bias[units], after.bias), (following, bias, constant)]
    sums = [exact(plus(dot(v, c[:, None])[:, 0], zero, b, zero)[0]) for v, c, b in shifts]
    need(bool(np.all(sums[0] == sums[1])), f"layer {at}: the constants do not fit")
    keep = np.setdiff1d(np.arange(width), units)
    chain.layers[at - 1] = replace(
        here,
        weight=np.concatenate([here.weight[keep], weight]),
        bias=np.concatenate([here.bias[keep], bias]),
        weight_ulp=np.concatenate([here.weight_ulp[keep], np.zeros((made, n))]),
        bias_ulp=np.concatenate([here.bias_ulp[keep], np.zeros(made)]),
    )
    chain.layers[at] = replace(
        after,
        weight=np.concatenate([after.weight[:, keep], following], axis=1),
        bias=constant,
        weight_ulp=np.concatenate([after.weight_ulp[:, keep], np.zeros((k, made))], axis=1),
        bias_ulp=np.zeros(k),
    )
