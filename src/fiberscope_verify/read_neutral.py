"""Neutral dicts (`Network.neutral()`): an ATen graph as JSON values with numpy arrays, for models without file."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from .model import Model, Operation, Ref
from .report import Reject, need


def value_of(item: object) -> object:
    """One JSON argument; {"t": name} is a tensor, {"float": text} an infinity, other dicts are compared as text."""
    if isinstance(item, dict):
        (kind, value), *rest = item.items()
        if kind == "t" and not rest and isinstance(value, str):
            return Ref(value)
        return float(value) if kind == "float" and not rest else f"{kind}:{value}"
    if isinstance(item, list | tuple):
        return tuple(value_of(i) for i in item)
    need(item is None or isinstance(item, bool | int | float | str), "unreadable argument in a neutral model")
    return item


def content_sha256(neutral: dict) -> str:
    """A hash of what the verifier uses of a neutral dict (not of its own `sha256` entry)."""
    keys = ("nodes", "inputs", "outputs", "weight_of")
    digest = hashlib.sha256(json.dumps([neutral.get(k) for k in keys], sort_keys=True, default=list).encode())
    for group in ("weights", "constants"):
        for name in sorted(neutral.get(group, {})):
            array = np.ascontiguousarray(neutral[group][name])
            digest.update(json.dumps([group, name, array.dtype.str, list(array.shape)]).encode() + array.tobytes())
    return digest.hexdigest()


def read_neutral(neutral: dict) -> Model:
    """The model of a neutral dict."""
    try:
        model = Model("aten", str(neutral["format"]), str(neutral["sha256"]), [], [], [], {}, {})
        for name, array in neutral["weights"].items():
            model.arrays[name] = np.asarray(array)
        for wire, name in neutral["weight_of"].items():
            need(name in model.arrays, f"weight {name!r} is missing")
            model.wires[wire] = name
        for wire, array in neutral.get("constants", {}).items():
            model.arrays[f"constant:{wire}"] = np.asarray(array)
            model.wires[wire] = f"constant:{wire}"
        need(all(a.dtype.kind in "fiub" for a in model.arrays.values()), "arrays must hold plain numbers")
        model.dtypes = dict(neutral.get("dtypes", {}))
        model.aliases = dict(neutral.get("aliases", {}))
        model.inputs = [(i["name"], tuple(int(s) for s in i["shape"])) for i in neutral["inputs"]]
        kinds = {i["name"]: str(i.get("dtype", "float32")) for i in neutral["inputs"]}
        model.booleans = {name for name, kind in kinds.items() if kind == "bool"}
        model.integers = {name for name, kind in kinds.items() if "int" in kind} | model.booleans
        model.outputs = [o["t"] if isinstance(o, dict) else str(o) for o in neutral["outputs"]]
        flags = [i.get("batched") for i in neutral["inputs"]]
        model.batched = flags[0] if flags and all(f == flags[0] for f in flags) else None
        for node in neutral["nodes"]:
            named = {k: value_of(v) for k, v in node.get("kwargs", {}).items()}
            target = str(node["op"]).removeprefix("torch.ops.")
            args = value_of(list(node["args"]))
            assert isinstance(args, tuple)
            model.operations.append(Operation(target, args, named, (node["name"],)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Reject(f"not a neutral model ({error!r:.80})") from None
    return model
