"""ONNX files: read them safely, run them as one torch function per node, write other weights back into the same graph.

The file is parsed from its bytes with external data switched off; external tensors are read by
:mod:`fiberscope.network.onnx_tensors` under its own rules. Saving parses the same bytes again and changes nothing but
the values of changed weights, in their stored dtype and encoding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fiberscope.errors import LoadError, UnsupportedOperatorError
from fiberscope.network.batching import mixes_samples
from fiberscope.network.network import Network, file_hash
from fiberscope.network.onnx_folding import Folding, call_of, evaluate, fold
from fiberscope.network.onnx_graph import OnnxGraph, read_graph
from fiberscope.network.onnx_shapes import candidates
from fiberscope.network.onnx_tensors import encode, external_fields, to_bytes
from fiberscope.network.origin import NetworkModule, attribute_name, merged, write_bytes
from fiberscope.network.program import Program, build_program
from fiberscope.network.traced import trace_pure


class OnnxModule(nn.Module):
    """An ONNX graph as a module: weights are parameters, folded values are buffers."""

    def __init__(self, graph: OnnxGraph, folding: Folding) -> None:
        super().__init__()
        self.graph_, self.folding = graph, folding
        self.attribute_of: dict[str, str] = {}
        for name in folding.weights:
            key = self.attribute_of[name] = attribute_name(self, name)
            self.register_parameter(key, nn.Parameter(graph.tensors[name], requires_grad=False))
        read = {name for node in folding.nodes for name in node.inputs} | set(graph.outputs)
        for name in [n for n in folding.known if n in read]:
            key = self.attribute_of[name] = attribute_name(self, name)
            self.register_buffer(key, folding.known[name], persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the ONNX graph, in order."""
        values: dict[str, Tensor] = {name: getattr(self, key) for name, key in self.attribute_of.items()}
        values.update({item.name: x for item, x in zip(self.graph_.inputs, inputs, strict=True)})
        for node in self.folding.nodes:
            given = [values[name] if name else None for name in node.inputs]
            weight = bool(node.inputs) and node.inputs[0] in self.folding.weights
            call = call_of(node, self.graph_.opset, given, self.folding.arrays, weight)
            values.update(evaluate(node, call))
        return tuple(values[name] for name in self.graph_.outputs)


class OnnxOrigin:
    """The bytes of an ONNX file and the folder of its external data."""

    format = "onnx"

    def __init__(self, path: Path, data: bytes, stored: dict[str, Tensor]) -> None:
        self.path, self.data, self.stored = path, data, stored

    def state_dict(self, network: Network) -> dict[str, Tensor]:
        return merged(self.stored, network)

    def module(self, network: Network) -> nn.Module:
        return NetworkModule(network)

    def save(self, network: Network, path: Path) -> None:
        import onnx

        model = onnx.ModelProto.FromString(self.data)
        changed = {name: t for name, t in network.weights.items() if t is not self.stored.get(name)}
        if not changed and not any(tensor.data_location == 1 for tensor in model.graph.initializer):
            write_bytes(path, self.data)
            return
        for node in model.graph.node:
            if node.op_type == "Constant" and node.output and node.output[0] in changed:
                for attribute in node.attribute:
                    if attribute.name == "value":
                        encode(attribute.t, changed[node.output[0]])
                    elif attribute.name == "value_floats":
                        attribute.floats[:] = changed[node.output[0]].tolist()
        external = bytearray()
        for tensor in model.graph.initializer:
            if tensor.data_location == 1:
                self._save_external(tensor, network, path, external)
            elif tensor.name in changed:
                encode(tensor, changed[tensor.name])
        if external:
            write_bytes(path.with_name(path.name + ".data"), bytes(external))
        write_bytes(path, model.SerializeToString())

    def _save_external(self, tensor: Any, network: Network, path: Path, external: bytearray) -> None:
        """Append one external tensor to the new data file beside ``path``, and point to it."""
        data = to_bytes(network.weights.get(tensor.name, self.stored[tensor.name]))
        fields = {**external_fields(tensor), "location": path.name + ".data", "offset": str(len(external))}
        fields["length"] = str(len(data))
        fields.pop("checksum", None)
        del tensor.external_data[:]
        for key, value in fields.items():
            tensor.external_data.add(key=key, value=value)
        external += data


def load_onnx(
    path: Path, *, name: str, max_bytes: int, input_shapes: Mapping[str, Sequence[int]] | None = None
) -> Network:
    """Read an ONNX model; see :func:`fiberscope.network.load`."""
    import onnx
    from google.protobuf.message import DecodeError

    data = path.read_bytes()
    try:
        model = onnx.ModelProto.FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise LoadError(f"{path}: not an ONNX model ({error})") from error
    graph = read_graph(path, model, max_bytes)
    digest = file_hash(data, *graph.external)
    program, weights = program_of(graph, input_shapes)
    stored = {key: graph.tensors[key] for key in dict.fromkeys([*graph.initializers, *weights])}
    stored.update(weights)
    origin = OnnxOrigin(path, data, stored)
    return Network(program, weights, origin, name=name, path=path, file_sha256=digest)


def program_of(graph: OnnxGraph, given: Mapping[str, Sequence[int]] | None) -> tuple[Program, dict[str, Tensor]]:
    """Trace the graph at the first shapes that work; a batch whose samples mix is traced again one by one."""
    first_error: LoadError | None = None
    for shapes in candidates(graph, given):
        try:
            folding = fold(graph, shapes)
        except UnsupportedOperatorError:
            raise
        except LoadError as error:
            first_error = first_error or error
            continue
        result = traced(graph, folding, shapes)
        batch = {shape[0] for shape in shapes.values() if shape}
        if result[0].batched and batch != {1} and mixes_samples(*result):
            continue
        return result
    if first_error is None:
        raise LoadError(f"{graph.path}: the samples of a batch influence each other")
    free = {item.name: list(item.dims) for item in graph.inputs if any(isinstance(d, str) for d in item.dims)}
    hint = f"; sizes were guessed for {free}: pass input_shapes={{name: sizes}} to load" if free else ""
    raise LoadError(f"{graph.path}: {first_error}{hint}") from first_error


def traced(
    graph: OnnxGraph, folding: Folding, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Program, dict[str, Tensor]]:
    """Export the graph at the given input shapes."""
    module = OnnxModule(graph, folding).eval()
    examples = tuple(torch.zeros(shapes[item.name], dtype=item.dtype) for item in graph.inputs)
    exported = trace_pure(module, examples)
    names = {key: name for name, key in module.attribute_of.items()}
    ranked = all(len(item.dims) >= 2 for item in graph.inputs)
    leading = {shapes[item.name][0] for item in graph.inputs} if ranked and graph.inputs else set()
    free = all(isinstance(item.dims[0], str) or item.dims[0] == 1 for item in graph.inputs) if ranked else False
    made = [folding.shapes[name] for name in graph.outputs]
    batched = free and len(leading) == 1 and all(s and s[0] in leading for s in made)
    program, weights = build_program(exported, batched=batched, names=names)
    specs = tuple(replace(s, name=item.name) for s, item in zip(program.inputs, graph.inputs, strict=True))
    return replace(program, inputs=specs), weights
