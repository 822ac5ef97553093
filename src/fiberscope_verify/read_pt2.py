"""torch.export archives (.pt2, format of torch 2.10 to 2.13) without torch: JSON graph and raw weight bytes, no pickle.

Layout: <root>/models/model.json, <root>/data/{weights,constants}/model_*_config.json with raw members beside them.
`data/sample_inputs` is a pickle and is never read.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from .archive import open_zip, read_member
from .model import Model, Operation, Ref, widen_bfloat16
from .report import Reject, need

SCALAR_TYPE = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "?", 13: "<u2"}


def parse_json(data: bytes) -> Any:
    """Parse JSON; damage and absurd nesting become Reject."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Reject(f"damaged JSON ({type(error).__name__})") from None


def read_raw(archive, folder: str, name: str, entry: dict) -> tuple[np.ndarray, str]:
    """One tensor of a config: raw bytes viewed through dtype, sizes, strides and offset."""
    need(entry["use_pickle"] is False, f"tensor {name!r} is stored as a pickle: refused")
    meta = entry["tensor_meta"]
    need(meta["dtype"] in SCALAR_TYPE, f"tensor {name!r} has an unsupported dtype")
    dtype = np.dtype(SCALAR_TYPE[meta["dtype"]])
    sizes, strides = ([int(s["as_int"]) for s in meta[k]] for k in ("sizes", "strides"))
    offset = int(meta["storage_offset"]["as_int"])
    need(offset >= 0 and len(sizes) == len(strides) <= 16 and min([0, *sizes, *strides]) >= 0, "bad tensor layout")
    data = read_member(archive, folder + entry["path_name"])
    flat = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype=dtype)
    count = math.prod(sizes)
    last = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
    need(count == 0 or last < len(flat), f"tensor {name!r} reaches outside its data")
    need(count <= max(len(flat), 1), f"tensor {name!r} expands its data")
    view = np.lib.stride_tricks.as_strided(flat[offset:], sizes, [s * dtype.itemsize for s in strides])
    array = np.zeros(sizes, dtype) if count == 0 else view.astype(dtype.newbyteorder("="))
    return (widen_bfloat16(array), "bfloat16") if meta["dtype"] == 13 else (array, array.dtype.name)


def argument(arg: dict) -> object:
    """One serialised argument as a Ref, a tuple or a plain value."""
    (kind, value), *rest = arg.items()
    need(not rest, "malformed argument")
    if kind == "as_none":
        return None
    if kind == "as_tensor":
        return Ref(value["name"])
    if kind in ("as_tensors", "as_nested_tensors"):
        return tuple(Ref(v["name"]) for v in value)
    if kind == "as_optional_tensors":
        return tuple(Ref(v["as_tensor"]["name"]) if "as_tensor" in v else None for v in value)
    if kind in ("as_optional_tensor", "as_sym_int", "as_sym_float", "as_sym_bool"):
        return argument(value) if "as_tensor" in value or "as_none" in value else symbol(value)
    if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools"):
        return tuple(symbol(v) for v in value)
    if kind == "as_float":
        return float(value)  # infinities are written as text
    if kind in ("as_int", "as_bool", "as_string"):
        return value
    if kind in ("as_ints", "as_floats", "as_bools", "as_strings"):
        return tuple(map(float, value)) if kind == "as_floats" else tuple(value)
    return f"{kind}:{json.dumps(value, sort_keys=True)}"  # dtypes, layouts, devices: compared as text


def symbol(value: dict) -> object:
    """A size that is a number or the name of a symbolic node."""
    (kind, item), *_ = value.items()
    return Ref(item) if kind == "as_name" else item


def read_pt2(data: bytes, sha256: str, limit: int) -> Model:
    """The model of a .pt2 file."""
    archive = open_zip(data, limit)
    models = [n for n in archive.namelist() if n.endswith("/models/model.json")]
    need(len(models) == 1, "not a .pt2 archive with one model")
    root = models[0].removesuffix("models/model.json")
    try:
        need(read_member(archive, root + "byteorder") == b"little", "the .pt2 archive is not little-endian")
        return _read(archive, root, parse_json(read_member(archive, models[0])), sha256)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Reject(f"the .pt2 archive does not have the expected layout ({error!r:.80})") from None


def _read(archive, root: str, program: dict, sha256: str) -> Model:
    graph, signature = program["graph_module"]["graph"], program["graph_module"]["signature"]
    model = Model("aten", "pt2", sha256, [], [], [], {}, {}, listed=False)
    storage: dict[tuple, str] = {}
    for kind in ("weights", "constants"):
        member = f"{root}data/{kind}/model_{kind}_config.json"
        if member not in archive.namelist():
            continue
        for name, entry in parse_json(read_member(archive, member))["config"].items():
            key = (kind, entry["path_name"], json.dumps(entry["tensor_meta"], sort_keys=True).replace("true", "false"))
            if key in storage:
                model.aliases[name] = storage[key]
                continue
            storage[key] = name
            need(name not in model.arrays, f"the tensor {name!r} is stored twice")
            model.arrays[name], model.dtypes[name] = read_raw(archive, f"{root}data/{kind}/", name, entry)
    for spec in signature["input_specs"]:
        (kind, item), *_ = spec.items()
        if kind == "user_input":
            argument_ = item["arg"]
            need("as_tensor" in argument_, "a user input that is not a tensor is not supported")
            name = argument_["as_tensor"]["name"]
            sizes = graph["tensor_values"][name]["sizes"]
            shape = tuple(int(s["as_int"]) if "as_int" in s else 0 for s in sizes)
            need(all(shape[1:]) or not shape, f"input {name!r}: only the leading axis may be free")
            model.inputs.append((name, shape))
            kind = graph["tensor_values"][name]["dtype"]
            if kind in (1, 2, 3, 4, 5, 12):
                model.integers.add(name)
            if kind == 12:
                model.booleans.add(name)
        else:
            fields = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}
            need(kind in fields, f"input kind {kind!r} is not supported")
            public = item[fields[kind]]
            public = str(model.aliases.get(public, public))
            need(public in model.arrays, f"the tensor {public!r} is missing from the archive")
            model.wires[item["arg"]["name"]] = public
    for spec in signature["output_specs"]:
        (kind, item), *_ = spec.items()
        need(kind == "user_output", f"output kind {kind!r} is not supported (a module that changes its buffers)")
        if "as_tensor" in item["arg"]:
            model.outputs.append(item["arg"]["as_tensor"]["name"])
    for node in graph["nodes"]:
        target = node["target"].removeprefix("torch.ops.").removeprefix("torch._ops.")
        positional = tuple(argument(i["arg"]) for i in node["inputs"] if i["kind"] != 2)
        named = {i["name"]: argument(i["arg"]) for i in node["inputs"] if i["kind"] == 2}
        outputs: list[str] = []
        for out in node["outputs"]:
            (kind, value), *_ = out.items()
            if kind == "as_tensors":
                outputs += [v["name"] for v in value]
            elif kind == "as_sym_int":
                outputs.append(value.get("as_name", ""))
            else:
                outputs.append(value["name"] if kind == "as_tensor" else "")
        model.operations.append(Operation(target, positional, named, tuple(outputs)))
    model.batched = True if model.inputs and all(s[:1] == (0,) for _, s in model.inputs) else None
    return model
