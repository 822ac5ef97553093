"""``.pt2`` files (``torch.export.save``), read without executing any pickle and without torch's own deserialiser.

The archive is a zip of JSON and raw tensors. Its directory is checked first; then three JSON members are parsed (graph,
weights, constants), every tensor's declared size is compared with its member, and the graph is rebuilt by
:mod:`fiberscope.network.pt2_graph`. The pickled sample inputs are never opened; tensors or constants stored as pickles
are refused. A changed network is saved by copying the archive and replacing the bytes of its weights.
"""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fiberscope.errors import LoadError
from fiberscope.network.archive import open_archive, read_member
from fiberscope.network.batching import mixes_samples
from fiberscope.network.network import Network, file_hash
from fiberscope.network.origin import NetworkModule, merged, write_bytes
from fiberscope.network.program import build_program
from fiberscope.network.pt2_graph import DTYPES, GraphModule, single, size_of
from fiberscope.network.traced import Traced, from_export
from fiberscope.network.tracing import trace

OLD = "written by an old torch with pickled tensors; save it again with torch.export.save of torch 2.9 or later"


class Pt2Origin:
    """The bytes of a ``.pt2`` file and where each weight lies in it."""

    format = "pt2"

    def __init__(
        self,
        path: Path,
        data: bytes,
        stored: dict[str, Tensor],
        places: dict[str, tuple[str, Any]],
        *,
        free_batch: bool = False,
        one_tensor: bool = False,
    ) -> None:
        self.path, self.data, self.stored, self.places = path, data, stored, places
        self.free_batch = free_batch  # whether it takes any number of samples
        self.one_tensor = one_tensor  # whether it returns a tensor, not a tuple of them

    def state_dict(self, network: Network) -> dict[str, Tensor]:
        return merged(self.stored, network)

    def module(self, network: Network) -> nn.Module:
        return NetworkModule(network)

    def save(self, network: Network, path: Path) -> None:
        changed: dict[str, bytearray] = {}
        source = zipfile.ZipFile(io.BytesIO(self.data))
        for name, tensor in network.weights.items():
            if tensor is self.stored[name]:
                continue
            member, (shape, stride, offset) = self.places[name]
            buffer = changed.setdefault(member, bytearray(source.read(member)))
            flat = torch.frombuffer(buffer, dtype=tensor.dtype)
            flat.as_strided(shape, stride, offset).copy_(tensor)
        if not changed:
            write_bytes(path, self.data)
            return
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for member in source.infolist():
                archive.writestr(member, bytes(changed.get(member.filename, source.read(member))))
        write_bytes(path, target.getvalue())


def load_pt2(path: Path, *, name: str, max_bytes: int) -> Network:
    """Read a ``.pt2`` archive; see the module docstring for what is and is not opened."""
    data = path.read_bytes()
    archive = open_archive(path, data, max_bytes)
    root, model = find_model(path, archive)
    kinds = {"weights": "weights", "constants": "constants"}
    payloads = {kind: payload(path, archive, f"{root}data/{folder}/", model, kind) for kind, folder in kinds.items()}
    program_json = parse(path, read_member(path, archive, f"{root}models/{model}.json"))
    views: dict[str, Tensor] = {}
    places: dict[str, tuple[str, Any]] = {}
    storages: dict[str, bytearray] = {}
    for tensors in payloads.values():
        for key, (member, dtype, geometry) in tensors.items():
            if member not in storages:
                storages[member] = bytearray(read_member(path, archive, member))
            views[key] = view(path, key, storages[member], dtype, geometry)
            places[key] = (member, geometry)
    try:
        module, names, examples = rebuild(program_json["graph_module"], views)
        traced = from_export(trace(module, examples))
        program, weights = build_program(traced, batched=looks_batched(traced, examples), names=names)
        if program.batched and examples[0].shape[0] > 1 and mixes_samples(program, weights):
            program, weights = build_program(traced, batched=False, names=names)
    except (KeyError, TypeError, AttributeError) as error:
        raise LoadError(f"{path}: the graph description is damaged ({type(error).__name__}: {error})") from error
    specs = (replace(s, name=n) for s, n in zip(program.inputs, module.input_names, strict=True))
    program = replace(program, inputs=tuple(specs))
    stored = {key: views[key].detach() for key in payloads["weights"]}
    stored.update(weights)
    described = program_json["graph_module"]
    ends = {"free_batch": free_batch(described), "one_tensor": one_tensor(described)}
    origin = Pt2Origin(path, data, stored, places, **ends)
    return Network(program, weights, origin, name=name, path=path, file_sha256=file_hash(data))


def free_batch(graph_module: Mapping[str, Any]) -> bool:
    """Whether axis 0 of every input has a symbol for its length."""
    named = [single(s, "input_specs") for s in graph_module["signature"]["input_specs"]]
    given = [c["arg"]["as_tensor"]["name"] for kind, c in named if kind == "user_input" and "as_tensor" in c["arg"]]
    sizes = [graph_module["graph"]["tensor_values"][name]["sizes"] for name in given]
    return bool(sizes) and all(axes and "as_expr" in axes[0] for axes in sizes)


def one_tensor(graph_module: Mapping[str, Any]) -> bool:
    """Whether the exported module returned a tensor as such."""
    for call in graph_module.get("module_call_graph") or []:
        if call["fqn"] == "" and call["signature"]:
            return json.loads(call["signature"]["out_spec"])[1]["type"] is None
    return False


def find_model(path: Path, archive: zipfile.ZipFile) -> tuple[str, str]:
    """The archive's root folder and its one model's name."""
    names = archive.namelist()
    found = [n for n in names if n.endswith(".json") and n.split("/")[-2:-1] == ["models"]]
    if not found and any("serialized_exported_program" in n for n in names):
        raise LoadError(f"{path}: {OLD}")
    if len(found) != 1:
        raise LoadError(f"{path}: {len(found)} exported programs in the archive, expected 1; is this a .pt2 file?")
    root, _, model = found[0].rpartition("models/")
    return root, model.removesuffix(".json")


def parse(path: Path, data: bytes) -> Any:
    """JSON from bytes."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{path}: damaged JSON in the archive ({error})") from error


Geometry = tuple[list[int], list[int], int]


def payload(
    path: Path, archive: zipfile.ZipFile, folder: str, model: str, kind: str
) -> dict[str, tuple[str, torch.dtype, Geometry]]:
    """The tensors of one kind: name -> member, dtype, (shape, stride, offset)."""
    if f"{folder}{model}.pt" in archive.namelist():
        raise LoadError(f"{path}: {OLD}")
    config = parse(path, read_member(path, archive, f"{folder}{model}_{kind}_config.json"))
    result: dict[str, tuple[str, torch.dtype, Geometry]] = {}
    try:
        for key, item in config["config"].items():
            if item["use_pickle"] or item["tensor_meta"] is None:
                raise LoadError(f"{path}: {kind[:-1]} {key!r} is stored as a pickle; refused")
            meta = item["tensor_meta"]
            where = f"{path}: {kind[:-1]} {key!r}"
            if meta["dtype"] not in DTYPES or meta["layout"] != 7:
                raise LoadError(f"{where} has scalar type {meta['dtype']} and layout {meta['layout']}: not read")
            shape, stride = ([size_of(s, where) for s in meta[field]] for field in ("sizes", "strides"))
            geometry = (shape, stride, size_of(meta["storage_offset"], where))
            result[key] = (folder + item["path_name"], DTYPES[meta["dtype"]], geometry)
    except (KeyError, TypeError, AttributeError) as error:
        raise LoadError(f"{path}: damaged {kind} table ({type(error).__name__}: {error})") from error
    return result


def view(path: Path, key: str, storage: bytearray, dtype: torch.dtype, geometry: Geometry) -> Tensor:
    """The tensor that a geometry cuts out of a storage, with its bounds checked."""
    shape, stride, offset = geometry
    empty = 0 in shape
    reach = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=False)) + 1
    if len(shape) != len(stride) or len(shape) > 64 or (not empty and reach * dtype.itemsize > len(storage)):
        raise LoadError(f"{path}: tensor {key!r} of shape {shape[:8]} does not fit its {len(storage)} bytes")
    if empty:
        return torch.empty(shape, dtype=dtype)
    usable = len(storage) // dtype.itemsize
    return torch.frombuffer(storage, dtype=dtype, count=usable).as_strided(shape, stride, offset)


def rebuild(
    graph_module: Mapping[str, Any], views: Mapping[str, Tensor]
) -> tuple[GraphModule, dict[str, str], tuple[Tensor, ...]]:
    """The module, its attribute names -> the file's weight names, and example inputs of the traced shapes."""
    graph, signature = graph_module["graph"], graph_module["signature"]
    module = GraphModule(graph, signature)
    names: dict[str, str] = {}
    examples = []
    for spec in signature["input_specs"]:
        kind, content = single(spec, "input_specs")
        if kind == "user_input":
            tag, value = single(content["arg"], "input_specs")
            if tag != "as_tensor":
                continue
            meta = graph["tensor_values"][value["name"]]
            shape = [size_of(s, f"input {value['name']!r}") for s in meta["sizes"]]
            if meta["dtype"] not in DTYPES:
                raise LoadError(f"input {value['name']!r} has scalar type {meta['dtype']}: not read")
            module.input_names.append(value["name"])
            examples.append(torch.zeros(1, dtype=DTYPES[meta["dtype"]]).expand(shape))
        elif kind == "constant_input":
            tag, value = single(content["value"], "input_specs")
            module.constant_inputs[content["name"]] = None if tag == "as_none" else value
        elif kind in ("parameter", "buffer", "tensor_constant"):
            name, placeholder = content[f"{kind}_name"], content["arg"]["name"]
            if name not in views:
                raise LoadError(f"the archive holds no tensor for {kind} {name!r}")
            persistent = kind == "buffer" and bool(content["persistent"])
            key = module.attach(placeholder, name, views[name], parameter=kind == "parameter", persistent=persistent)
            names[key] = name
        else:
            raise LoadError(f"the graph has an input of kind {kind!r}: not read")
    return module.eval(), names, tuple(examples)


def looks_batched(traced: Traced, examples: tuple[Tensor, ...]) -> bool:
    """True when all inputs and all outputs share one leading size."""
    shapes = [tuple(x.shape) for x in examples]
    shapes += [tuple(node.meta["val"].shape) for node in traced.outputs]
    return bool(examples) and all(shapes) and len({shape[0] for shape in shapes}) == 1


def save_exported(exported: ExportedProgram, state: Mapping[str, Tensor], path: Path) -> None:
    """Write an exported program with other weights, without its example inputs and without source locations."""
    program = copy.copy(exported)
    old = exported.state_dict
    program._state_dict = {
        name: nn.Parameter(t, requires_grad=old[name].requires_grad) if isinstance(old[name], nn.Parameter) else t
        for name, t in state.items()
    }
    program._example_inputs = None
    for node in exported.graph.nodes:
        for key in ("stack_trace", "from_node", "source_fn_stack"):
            node.meta.pop(key, None)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, buffer)
    write_bytes(path, buffer.getvalue())
