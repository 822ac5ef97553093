"""Comparisons, logic, selection and casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fiberscope.network.operators.call import DTYPES, OPERATORS, Call, operator

COMPARISONS: dict[str, Callable[[Any, Any], Tensor]] = {
    "Equal": lambda a, b: a == b,
    "Greater": lambda a, b: a > b,
    "GreaterOrEqual": lambda a, b: a >= b,
    "Less": lambda a, b: a < b,
    "LessOrEqual": lambda a, b: a <= b,
}
LOGIC: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
}


def register(name: str, function: Callable[[Any, Any], Tensor], scalars: bool) -> None:
    """Register a function of two inputs."""
    if scalars:
        OPERATORS[name] = lambda call: function(call.operand(0), call.operand(1))
    else:
        OPERATORS[name] = lambda call: function(call[0], call[1])


for _name, _function in COMPARISONS.items():
    register(_name, _function, True)
for _name, _function in LOGIC.items():
    register(_name, _function, False)


@operator("Not")
def logical_not(call: Call) -> Tensor:
    return torch.logical_not(call[0])


@operator("IsNaN")
def is_nan(call: Call) -> Tensor:
    return torch.isnan(call[0])


@operator("IsInf")
def is_inf(call: Call) -> Tensor:
    return torch.isinf(call[0])


@operator("Where")
def where(call: Call) -> Tensor:
    return torch.where(call[0], call[1], call[2])


@operator("Cast")
def cast(call: Call) -> Tensor:
    to = call.attributes.get("to")
    if to not in DTYPES:
        raise call.unsupported(f"the data type {to}")
    return call[0] if call[0].dtype == DTYPES[to] else call[0].to(DTYPES[to])


@operator("CastLike")
def cast_like(call: Call) -> Tensor:
    return call[0].to(call[1].dtype)
