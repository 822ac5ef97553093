"""Norms and softmax: what survives dividing by a statistic."""

from __future__ import annotations

from fiberscope.symmetry.axes import Axis, Uniform, resolve
from fiberscope.symmetry.charge import NEUTRAL
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.rules.call import Call, Rule
from fiberscope.symmetry.rules.elementwise import combine_equal, combine_multiply, law, map_charges
from fiberscope.symmetry.typed import Inference, Typed, fixed
from fiberscope.symmetry.unify import Mismatch


def _still(inf: Inference, axes: tuple[Axis, ...] | list[Axis], mixing: Mixing) -> None:
    inf.pooled += axes
    for axis in axes:
        inf.facts.lower(axis, mixing)
        inf.facts.vanish(axis)


def layer_norm(inf: Inference, node: Call) -> tuple[Typed, Typed, Typed]:
    """(x - mean) / sqrt(var + eps) over the last axes, then gain and bias.

    The core commutes with orthogonal maps that fix the line of ones; a gain leaves permutations.
    """
    x = inf.typed(node.args[0])
    count = len(node.args[1])
    outer, inner = x.axes[: len(x.axes) - count], x.axes[len(x.axes) - count :]
    core = Mixing.orthogonal_fixing_ones if count == 1 else Mixing.permutation
    _still(inf, inner, core)
    _still(inf, outer, Mixing.permutation)
    inf.facts.apart(*outer)
    out = _plain(x)
    gain, bias = node.args[2], node.args[3]
    if gain is not None:
        out = combine_multiply(inf, out, inf.typed(gain))
    if bias is not None:
        out = combine_equal(inf, out, inf.typed(bias))
    stats = Typed((*outer, *(Uniform(1) for _ in inner)), x.constant)
    return out, stats, stats


def _plain(x: Typed) -> Typed:
    """The same axes with no charge: valid once the charges were required to vanish."""
    return Typed(tuple(map_charges(resolve(a), lambda _: NEUTRAL) for a in x.axes), x.constant)


def group_norm(inf: Inference, node: Call) -> tuple[Typed, Typed, Typed]:
    """Normalise over groups of channels: channels permute inside groups, and groups among themselves."""
    x = inf.typed(node.args[0])
    groups = int(node.args[6])
    channels = x.axes[1]
    _still(inf, x.axes, Mixing.permutation)
    try:
        outer, _ = inf.facts.split(channels, groups)
        inf.facts.apart(x.axes[0], outer)
    except Mismatch:
        inf.facts.freeze(channels)
    x = _plain(Typed(tuple(resolve(a) for a in x.axes), x.constant))
    column = [1] * (len(x.axes) - 2)
    out = x
    for position, combine in ((1, combine_multiply), (2, combine_equal)):
        weight = node.args[position]
        if weight is not None:
            w = inf.typed(weight)
            out = combine(inf, out, Typed((w.axes[0], *(Uniform(1) for _ in column)), w.constant))
    stats = Typed(fixed((x.axes[0].size, groups)).axes, x.constant)
    return out, stats, stats


def batch_norm(inf: Inference, node: Call) -> tuple[Typed, ...]:
    """(x - running_mean) / sqrt(running_var + eps) * gain + bias: a charge before and a charge after."""
    x = inf.typed(node.args[0])
    gain, bias, mean, variance = (inf.typed(a) if a is not None else None for a in node.args[1:5])
    tail = tuple(Uniform(1) for _ in x.axes[2:])

    def channelwise(w: Typed) -> Typed:
        return Typed((w.axes[0], *tail), w.constant)

    out = x
    if mean is not None:
        out = combine_equal(inf, out, channelwise(mean))
    if variance is not None:
        out = combine_multiply(inf, out, channelwise(law(inf, variance, None, None)))
    if gain is not None:
        out = combine_multiply(inf, out, channelwise(gain))
    if bias is not None:
        out = combine_equal(inf, out, channelwise(bias))
    empty = Typed((), True)
    return (out, empty, empty)


def batch_norm_sample(inf: Inference, node: Call) -> tuple[Typed, ...]:
    """Batch norm with the statistics of the sample itself (instance norm): no scaling survives."""
    x = inf.typed(node.args[0])
    _still(inf, x.axes, Mixing.permutation)
    inf.facts.apart(x.axes[1])
    out = _plain(x)
    tail = tuple(Uniform(1) for _ in x.axes[2:])
    for weight, combine in ((node.args[1], combine_multiply), (node.args[2], combine_equal)):
        if weight is not None:
            w = inf.typed(weight)
            out = combine(inf, out, Typed((w.axes[0], *tail), w.constant))
    empty = Typed((), True)
    return (out, empty, empty)


def softmax(inf: Inference, node: Call) -> Typed:
    """exp(x) / sum exp(x): permutations only, along and across."""
    x = inf.typed(node.args[0])
    inf.pooled += x.axes
    dim = node.args[1] % len(x.axes)
    inf.facts.apart(*(a for i, a in enumerate(x.axes) if i != dim))
    return law(inf, x, None, None)


RULES: dict[str, Rule] = {
    "native_layer_norm": layer_norm,
    "native_group_norm": group_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "_native_batch_norm_legit": batch_norm_sample,
    "_softmax": softmax,
    "_log_softmax": softmax,
    "_safe_softmax": softmax,
}
