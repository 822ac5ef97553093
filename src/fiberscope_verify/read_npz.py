"""The plain-MLP .npz: arrays W1, b1, ..., WL, bL (W is out x in) and a text `activation`."""

from __future__ import annotations

import re

from .archive import open_zip, parse_npy, read_member
from .model import Model, Operation, Ref
from .report import Reject, need


def read_npz(data: bytes, sha256: str, limit: int) -> Model:
    """The model of an .npz file, written as ATen operations on one row vector."""
    archive = open_zip(data, limit)
    arrays = {n.removesuffix(".npy"): parse_npy(read_member(archive, n), n) for n in archive.namelist()}
    activation = arrays.pop("activation", None)
    name = "relu" if activation is None else str(activation.reshape(-1)[0]) if activation.size == 1 else ""
    found = re.fullmatch(r"([a-z_0-9]+)(?:\(([-+0-9.e]+)\))?", name)
    if not found:
        raise Reject(f"activation {name!r} is not understood")
    try:
        extra = () if found[2] is None else (float(found[2]),)
    except ValueError:
        raise Reject(f"activation {name!r} is not understood") from None
    layers = sum(1 for k in arrays if re.fullmatch(r"W[1-9][0-9]*", k))
    known = {f"{c}{i}" for i in range(1, layers + 1) for c in "Wb"}
    need(layers >= 1 and set(arrays) <= known, "an .npz model holds W1, b1, ..., WL, bL and activation only")
    operations, here = [], "x"
    for i in range(1, layers + 1):
        need(f"W{i}" in arrays, f"W{i} is missing")
        weight = arrays[f"W{i}"]
        need(weight.ndim == 2 and weight.dtype.kind == "f", f"W{i} must be a float matrix")
        args = [Ref(here), Ref(f"W{i}")]
        if f"b{i}" in arrays:
            need(arrays[f"b{i}"].shape == weight.shape[:1], f"b{i} has the wrong shape")
            args.append(Ref(f"b{i}"))
        operations.append(Operation("aten.linear.default", tuple(args), {}, (f"z{i}",)))
        here = f"z{i}"
        if i < layers and found[1] not in ("identity", "linear"):
            operations.append(Operation(f"aten.{found[1]}.default", (Ref(here), *extra), {}, (f"h{i}",)))
            here = f"h{i}"
    model = Model("aten", "npz", sha256, operations, [("x", (1, arrays["W1"].shape[1]))], [here], arrays, {})
    model.wires = {k: k for k in arrays}
    return model
