"""The step "replace": a hidden layer and the map that reads it, replaced by others that are the same function.

{"step": "replace", "side", "layer", "weight", "bias", "next_weight", "next_bias"}: with z the values in front of the
layer, V rho(W z + b) + c is the same for all z in R^n before and after; the difference is decided in rationals.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .certificate import Certificate, fields, whole
from .chain import Chain, Layer
from .report import need
from .shallow import difference


def replace_layer(certificate: Certificate, chain: Chain, step: dict) -> None:
    """Checks the step and makes the replacement."""
    names = ("weight", "bias", "next_weight", "next_bias")
    _, layer, *arrays = fields(step, "replace", "side", "layer", *names)
    at = whole(layer, 1, len(chain.layers), "layer")
    here, after = chain.layers[at - 1], chain.layers[at]
    weight, bias, following, constant = (certificate.array(name, "f") for name in arrays)
    (_, n), k, units = here.weight.shape, len(after.bias), len(bias)
    need(len(weight) == units * n and len(following) == units * k, f"layer {at}: the new weights have the wrong size")
    need(len(constant) == k, f"layer {at}: the new bias has the wrong size")
    first = plain(weight.reshape(units, n), bias, here.activation)
    second = plain(following.reshape(k, units), constant, after.activation)
    before, now = (Chain([p, replace(q, activation=None)]) for p, q in ((here, after), (first, second)))
    found = difference(before, now)
    need(not len(found.kinks), f"layer {at}: the new units bend differently along {len(found.kinks)} hyperplanes")
    need(found.zero, f"layer {at}: the new units differ from the old ones by an affine function")
    chain.layers[at - 1 : at + 1] = [first, second]


def plain(weight: np.ndarray, bias: np.ndarray, activation: tuple | None) -> Layer:
    """A layer of numbers that are not stored in the models."""
    return Layer(weight, bias, np.zeros(weight.shape), np.zeros(bias.shape), activation)
