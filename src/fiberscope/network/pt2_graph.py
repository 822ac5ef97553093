"""The JSON graph of a ``.pt2`` archive as an ``nn.Module`` that calls one ATen operator per node.

torch's own reader evaluates size expressions and guards as Python text and may fall back to unpickling. This one knows
numbers, names and ATen operators only: whatever else a node holds is refused. Sizes that were symbolic take the value
they had when the file was written.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fiberscope.errors import LoadError, UnsupportedOperatorError
from fiberscope.network.origin import attribute_name

DTYPES: dict[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    10: torch.complex64,
    11: torch.complex128,
    12: torch.bool,
    13: torch.bfloat16,
}
FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
PLAIN = frozenset(["as_int", "as_bool", "as_string", "as_ints", "as_bools", "as_strings", "as_int_lists"])
FORBIDDEN = frozenset(["from_file", "_print", "record_stream", "set_data", "_test_string_default"])
ASSERTIONS = ("_assert", "sym_constrain", "_functional_assert", "_functional_sym_constrain", "_linalg_check")
NUMBERS: dict[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in ["add", "sub", "mul", "floordiv", "mod", "neg", "eq", "ne", "le", "lt", "ge", "gt", "pos"]
}


def function_of(target: Any) -> Callable[..., Any] | None:
    """The operator that a target names; None for an assertion.

    Errors: :class:`UnsupportedOperatorError` for anything but ATen operators and integer arithmetic.
    """
    if target in NUMBERS:
        return NUMBERS[target]
    parts = target.split(".") if isinstance(target, str) else []
    if parts[:3] != ["torch", "ops", "aten"] or len(parts) != 5 or parts[3] in FORBIDDEN:
        raise UnsupportedOperatorError(f"operator {str(target)[:100]!r} is not supported (ATen operators only)")
    if parts[3].startswith(ASSERTIONS):
        return None
    try:
        function = getattr(getattr(torch.ops.aten, parts[3]), parts[4])
    except AttributeError as error:
        raise UnsupportedOperatorError(f"operator {target!r} is unknown to this torch") from error
    if not isinstance(function, torch._ops.OpOverload):
        raise UnsupportedOperatorError(f"operator {target!r} is not supported")
    return function


def single(value: Any, where: str) -> tuple[str, Any]:
    """The one key and value of a tagged union."""
    if not isinstance(value, dict) or len(value) != 1:
        raise LoadError(f"{where}: expected one tagged value, got {str(value)[:80]}")
    return next(iter(value.items()))


def size_of(value: Any, where: str) -> int:
    """An integer, or the value that a symbolic size had (its hint), or 2."""
    kind, content = single(value, where)
    if kind == "as_expr":
        hint = content.get("hint") if isinstance(content, dict) else None
        return size_of(hint, where) if hint else 2
    if kind != "as_int" or isinstance(content, bool) or not isinstance(content, int) or content < 0:
        raise LoadError(f"{where}: {str(value)[:80]} is not a size")
    return content


class GraphModule(nn.Module):
    """Runs the nodes of a serialised graph; parameters and buffers are registered under tidied names."""

    def __init__(self, graph: Mapping[str, Any], signature: Mapping[str, Any]) -> None:
        super().__init__()
        self.steps = [(function_of(n["target"]), n) for n in graph["nodes"]]
        self.attribute_of: dict[str, str] = {}
        self.input_names: list[str] = []
        self.constant_inputs: dict[str, Any] = {}
        self.output_names: list[str] = []
        for spec in signature["output_specs"]:
            kind, content = single(spec, "output_specs")
            if kind != "user_output":
                raise LoadError(f"the graph has an output of kind {kind!r}; only user outputs are read")
            tag, value = single(content["arg"], "output_specs")
            if tag == "as_tensor":
                self.output_names.append(value["name"])

    def attach(self, placeholder: str, name: str, tensor: Tensor, *, parameter: bool, persistent: bool) -> str:
        """Give a placeholder its tensor; returns the attribute that holds it."""
        key = attribute_name(self, name)
        if parameter:
            self.register_parameter(key, nn.Parameter(tensor, requires_grad=False))
        else:
            self.register_buffer(key, tensor, persistent=persistent)
        self.attribute_of[placeholder] = key
        return key

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The user outputs, flat, for the user inputs, flat."""
        values: dict[str, Any] = {name: getattr(self, key) for name, key in self.attribute_of.items()}
        values.update(self.constant_inputs)
        values.update(zip(self.input_names, inputs, strict=True))
        for function, node in self.steps:
            if function is not None:
                run_node(function, node, values)
        return tuple(values[name] for name in self.output_names)


def run_node(function: Callable[..., Any], node: Mapping[str, Any], values: dict[str, Any]) -> None:
    """Call one operator and name its results."""
    where = str(node["target"])
    args, kwargs = [], {}
    keyword = {a.name for a in function._schema.arguments if a.kwarg_only} if hasattr(function, "_schema") else set()
    for item in node["inputs"]:
        value = argument(item["arg"], values, where)
        if item.get("kind") == 2 or item["name"] in keyword or kwargs:
            kwargs[item["name"]] = value
        else:
            args.append(value)
    result = function(*args, **kwargs)
    outputs = node["outputs"]
    results = list(result) if isinstance(result, (tuple, list)) and not spread(outputs) else [result]
    for slot, value in zip(outputs, results, strict=False):
        tag, content = single(slot, where)
        if tag == "as_tensor":
            values[content["name"]] = value
        elif tag == "as_tensors":
            for each, part in zip(content, value, strict=True):
                values[each["name"]] = part
        elif tag in ("as_sym_int", "as_sym_bool", "as_sym_float") and "as_name" in content:
            values[content["as_name"]] = value
        elif tag != "as_none":
            raise UnsupportedOperatorError(f"{where}: an output of kind {tag!r} is not supported")


def spread(outputs: list[Any]) -> bool:
    """True when the single output slot holds a list of tensors."""
    return len(outputs) == 1 and "as_tensors" in outputs[0]


def argument(value: Any, values: Mapping[str, Any], where: str) -> Any:
    """The Python value of one serialised argument."""
    tag, content = single(value, where)
    if tag == "as_float":
        return float(content)  # JSON spells infinities as text
    if tag == "as_floats":
        return [float(item) for item in content]
    if tag in PLAIN:
        return content
    if tag == "as_none":
        return None
    if tag == "as_tensor":
        return values[content["name"]]
    if tag == "as_tensors":
        return [values[item["name"]] for item in content]
    if tag == "as_optional_tensors":
        return [None if "as_none" in item else argument(item, values, where) for item in content]
    if tag in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        kind, inner = single(content, where)
        return values[inner] if kind == "as_name" else inner
    if tag in ("as_sym_ints", "as_sym_bools", "as_sym_floats"):
        return [argument({tag[:-1]: item}, values, where) for item in content]
    if tag == "as_scalar_type":
        if content not in DTYPES:
            raise LoadError(f"{where}: scalar type {content} is not read")
        return DTYPES[content]
    if tag == "as_memory_format":
        return FORMATS.get(content)
    if tag == "as_layout":
        return torch.strided
    if tag == "as_device":
        return torch.device("cpu")
    raise UnsupportedOperatorError(f"{where}: an argument of kind {tag!r} is not supported")
