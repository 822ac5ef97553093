"""A graph as text: what it computes from which inputs, weights and constants, whatever its nodes are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

if TYPE_CHECKING:
    from fiberscope.network import Network


def graph_lines(net: Network, weight_order: dict[str, int]) -> Iterator[str]:
    """Yield one line per op that the outputs depend on, then one for the outputs.

    Nodes are numbered in order of appearance; a weight stands for its place in ``weight_order``, an input for its
    position, a constant for its contents.
    """
    needed = _needed(net)
    number: dict[str, str] = {}
    for i, name in enumerate(net.input_names):
        number[name] = f"input{i}"
    for node in net.graph.nodes:
        if node.name not in needed:
            continue
        if node.op == "call_function":
            number[node.name] = f"%{len(number)}"
            shape = tuple(getattr(node.meta.get("val"), "shape", ()))
            yield f"{number[node.name]} = {node.target}{_text((node.args, node.kwargs), number)} : {shape}"
        elif node.name in net.weight_of:
            number[node.name] = f"weight{weight_order[net.weight_of[node.name]]}"
        elif node.name in net.constants:
            number[node.name] = _contents(net.constants[node.name])
    yield f"return {_text(net.output_nodes, number)}"


def _needed(net: Network) -> set[str]:
    found: set[str] = set()
    todo = list(net.output_nodes)
    while todo:
        node = todo.pop()
        if node.name not in found:
            found.add(node.name)
            todo.extend(node.all_input_nodes)
    return found


def _text(value: Any, number: dict[str, str]) -> str:
    if isinstance(value, fx.Node):
        return number[value.name]
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_text(v, number) for v in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {_text(value[k], number)}' for k in sorted(value))}}}"
    return repr(value)


def _contents(tensor: torch.Tensor) -> str:
    plain = tensor.detach().cpu().contiguous()
    data = plain.flatten().view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    return f"{plain.dtype}{tuple(plain.shape)}#{hashlib.sha256(data).hexdigest()}"
