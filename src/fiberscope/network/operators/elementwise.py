"""Elementwise arithmetic and activations."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from fiberscope.network.operators.call import OPERATORS, Call, operator

UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "HardSwish": F.hardswish,
    "Identity": lambda x: x,
    "Log": torch.log,
    "Mish": F.mish,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
    "Tanh": torch.tanh,
}


def register_unary(name: str, function: Callable[[Tensor], Tensor]) -> None:
    """Register a function of one tensor."""
    OPERATORS[name] = lambda call: function(call[0])


for _name, _function in UNARY.items():
    register_unary(_name, _function)


@operator("Add")
def add(call: Call) -> Tensor:
    return call.operand(0) + call.operand(1)  # type: ignore[return-value]


@operator("Sub")
def sub(call: Call) -> Tensor:
    return call.operand(0) - call.operand(1)  # type: ignore[return-value]


@operator("Mul")
def mul(call: Call) -> Tensor:
    return call.operand(0) * call.operand(1)  # type: ignore[return-value]


@operator("Div")
def div(call: Call) -> Tensor:
    if call[0].is_floating_point() or call[0].is_complex():
        return call.operand(0) / call.operand(1)  # type: ignore[return-value]
    return torch.div(call[0], call[1], rounding_mode="trunc")


@operator("Pow")
def power(call: Call) -> Tensor:
    return torch.pow(call.operand(0), call.operand(1)).to(call[0].dtype)  # type: ignore[arg-type]


@operator("Mod")
def mod(call: Call) -> Tensor:
    function = torch.fmod if call.attributes.get("fmod", 0) else torch.remainder
    return function(call[0], call[1])


def variadic(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Call], Tensor]:
    """Fold a binary function over all inputs."""
    return lambda call: functools.reduce(function, [x for x in call.inputs if x is not None])


OPERATORS["Sum"] = variadic(torch.add)
OPERATORS["Max"] = variadic(torch.maximum)
OPERATORS["Min"] = variadic(torch.minimum)


@operator("Mean")
def mean(call: Call) -> Tensor:
    return variadic(torch.add)(call) / len(call.inputs)


@operator("Clip", hyperparameters=(1, 2))
def clip(call: Call) -> Tensor:
    if call.opset < 11:
        low, high = call.attributes.get("min"), call.attributes.get("max")
    else:
        bounds = [call.value(1), call.value(2)]
        low, high = (None if b is None else b.item() for b in bounds)
    if low is None and high is None:
        return call[0]
    return torch.clamp(call[0], low, high)


@operator("Elu")
def elu(call: Call) -> Tensor:
    return F.elu(call[0], call.attributes.get("alpha", 1.0))


@operator("Celu")
def celu(call: Call) -> Tensor:
    return F.celu(call[0], call.attributes.get("alpha", 1.0))


@operator("Selu")
def selu(call: Call) -> Tensor:
    alpha = call.attributes.get("alpha", 1.67326319217681884765625)
    gamma = call.attributes.get("gamma", 1.05070102214813232421875)
    return torch.ops.aten.elu.default(call[0], alpha, gamma)


@operator("LeakyRelu")
def leaky_relu(call: Call) -> Tensor:
    return F.leaky_relu(call[0], call.attributes.get("alpha", 0.01))


@operator("PRelu", weights=(1,))
def prelu(call: Call) -> Tensor:
    x, slope = call[0], call[1]
    return torch.where(x < 0, x * slope, x)


@operator("ThresholdedRelu")
def thresholded_relu(call: Call) -> Tensor:
    return torch.where(call[0] > call.attributes.get("alpha", 1.0), call[0], torch.zeros_like(call[0]))


@operator("HardSigmoid")
def hard_sigmoid(call: Call) -> Tensor:
    alpha, beta = call.attributes.get("alpha", 0.2), call.attributes.get("beta", 0.5)
    return torch.clamp(call[0] * alpha + beta, 0, 1)


@operator("Gelu")
def gelu(call: Call) -> Tensor:
    return F.gelu(call[0], approximate=call.attributes.get("approximate", "none"))


@operator("Swish")
def swish(call: Call) -> Tensor:
    alpha = call.attributes.get("alpha", 1.0)
    return F.silu(call[0]) if math.isclose(alpha, 1.0) else call[0] * torch.sigmoid(call[0] * alpha)


@operator("Shrink")
def shrink(call: Call) -> Tensor:
    bias, edge = call.attributes.get("bias", 0.0), call.attributes.get("lambd", 0.5)
    x, zero = call[0], torch.zeros_like(call[0])
    return torch.where(x < -edge, x + bias, torch.where(x > edge, x - bias, zero))


@operator("Softmax", "LogSoftmax", "Hardmax")
def softmax(call: Call) -> Tensor:
    function = {"Softmax": torch.softmax, "LogSoftmax": torch.log_softmax, "Hardmax": hardmax}[call.operator]
    if call.opset >= 13:
        return function(call[0], call.attributes.get("axis", -1))
    axis = call.attributes.get("axis", 1) % max(1, call[0].ndim)  # before 13: over all axes from this one on
    if axis == call[0].ndim - 1:
        return function(call[0], -1)
    return function(call[0].flatten(axis), -1).reshape(call[0].shape)


def hardmax(x: Tensor, axis: int) -> Tensor:
    """One at the first maximum, zero elsewhere."""
    size = x.shape[axis]
    return F.one_hot(x.argmax(axis), size).movedim(-1, axis).to(x.dtype)


@operator("Dropout", hyperparameters=(1, 2))
def dropout(call: Call) -> Tensor | tuple[Tensor, ...]:
    training = call.value(2)
    if training is not None and bool(training):
        raise call.unsupported("training mode")
    return call[0] if call.outputs < 2 else (call[0], torch.ones_like(call[0], dtype=torch.bool))
