"""Reductions. Axes are an attribute, or an input from opset 18 on (13 for ReduceSum)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fiberscope.network.operators.call import HYPERPARAMETERS, OPERATORS, Call, operator

Reduce = Callable[[Tensor, list[int], bool], Tensor]


def product(x: Tensor, axes: list[int], keepdim: bool) -> Tensor:
    """The product over several axes."""
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x


REDUCTIONS: dict[str, Reduce] = {
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "ReduceMean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "ReduceProd": product,
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "ReduceL2": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep).sqrt(),
    "ReduceSumSquare": lambda x, axes, keep: (x * x).sum(axes, keepdim=keep),
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
}


def register(name: str, reduce: Reduce) -> None:
    """Register one reduction."""
    since = 13 if name == "ReduceSum" else 18

    def apply(call: Call) -> Tensor:
        x, keep = call[0], bool(call.attributes.get("keepdims", 1))
        axes = call.ints_of("axes", 1, since)
        if not axes:
            if call.attributes.get("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.ndim))
        integer = not (x.is_floating_point() or x.is_complex())
        result = reduce(x, sorted(axis % x.ndim for axis in axes), keep) if axes else x
        return result.to(x.dtype) if integer else result

    OPERATORS[name] = apply
    HYPERPARAMETERS[name] = (1,)


for _name, _reduce in REDUCTIONS.items():
    register(_name, _reduce)


@operator("ArgMax", "ArgMin")
def arg_extreme(call: Call) -> Tensor:
    x, axis = call[0], call.attributes.get("axis", 0)
    function = torch.argmax if call.operator == "ArgMax" else torch.argmin
    keep = bool(call.attributes.get("keepdims", 1))
    if not call.attributes.get("select_last_index", 0):
        return function(x, axis, keepdim=keep)
    return x.shape[axis] - 1 - function(x.flip(axis), axis, keepdim=keep)


@operator("CumSum", hyperparameters=(1,))
def cumulative_sum(call: Call) -> Tensor:
    x = call[0]
    axis = (call.ints(1) or [0])[0]
    backwards = bool(call.attributes.get("reverse", 0))
    y = x.flip(axis) if backwards else x
    total = y.cumsum(axis).to(x.dtype)
    total = total - y if call.attributes.get("exclusive", 0) else total
    return total.flip(axis) if backwards else total
