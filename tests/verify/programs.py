"""Small ATen programs as models, and graph certificates for changes of their weights, with numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.verify.forge import certificate

from fiberscope_verify.model import Model, Operation, Ref


def r(name: str) -> Ref:
    return Ref(name)


def program(
    operations: list[tuple],
    inputs: dict[str, tuple[int, ...]],
    arrays: dict[str, np.ndarray],
    integers: set[str] | None = None,
    batched: bool | None = False,
) -> Model:
    """A model from (name, operator, arguments, keywords) rows; the last row is the output."""
    rows = [Operation(f"aten.{op}", tuple(args), kwargs, (name,)) for name, op, args, kwargs in operations]
    model = Model("aten", "test", "0" * 64, rows, list(inputs.items()), [operations[-1][0]], dict(arrays), {})
    model.wires = {name: name for name in arrays}
    model.integers = integers or set()
    model.batched = batched
    return model


def op(name: str, operator: str, *args: Any, **kwargs: Any) -> tuple:
    return name, operator, args, kwargs


Change = dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]  # weight -> axis -> (source, factor)


def changed(model: Model, change: Change) -> Model:
    """The same program with weights moved and scaled: new[i] = old[source[i]] * factor[i] along each axis."""
    arrays = {}
    for name, array in model.arrays.items():
        w = array.astype(np.float64) if array.dtype.kind == "f" else array
        for axis, (source, factor) in change.get(name, {}).items():
            w = np.take(w, source, axis=axis)
            w = w * np.asarray(factor).reshape([-1 if i == axis else 1 for i in range(w.ndim)])
        arrays[name] = w.astype(array.dtype)
    other = Model(
        **{k: getattr(model, k) for k in ("vocabulary", "format", "operations", "inputs", "outputs", "wires")},
        sha256="1" * 64,
        arrays=arrays,
    )
    other.integers, other.batched = model.integers, model.batched
    return other


def proof(model: Model, other: Model, change: Change) -> bytes:
    """The graph certificate that states the change."""
    weights = [n for n, a in model.arrays.items() if a.dtype.kind == "f"]
    steps: list[dict] = [{"step": "weights", "pairs": [[n, n] for n in weights]}]
    arrays = {}
    for i, (name, axes) in enumerate(change.items()):
        listed = []
        for axis in range(model.arrays[name].ndim):
            entry: dict[str, Any] = {"source": None, "sign": None, "scale": None, "exponent": None}
            if axis in axes:
                source, factor = axes[axis]
                entry |= {"source": f"p{i}_{axis}", "scale": f"s{i}_{axis}"}
                arrays[f"p{i}_{axis}"] = np.asarray(source, dtype=np.int64)
                arrays[f"s{i}_{axis}"] = np.asarray(factor, dtype=np.float64)
            listed.append(entry)
        steps.append({"step": "axes", "weight": name, "axes": listed})
    return certificate(model, other, steps, arrays, method="graph")


def some_change(rng: np.random.Generator, true: Change) -> Change:
    """A change near a true one: one axis redrawn, left out or scaled otherwise, or nothing but random draws."""
    out = {name: dict(axes) for name, axes in true.items()}
    name = str(rng.choice(list(out)))
    axis = int(rng.choice(list(out[name])))
    source, factor = out[name][axis]
    kind = rng.integers(5)
    n = len(source)
    if kind == 0:
        del out[name][axis]
    elif kind == 1:
        out[name][axis] = (rng.permutation(n), factor)
    elif kind == 2:
        out[name][axis] = (source, np.asarray(factor) * rng.choice([-1.0, 1.0, 2.0, 0.5], n))
    elif kind == 3:
        i, j = rng.integers(n, size=2)
        swapped = np.array(source)
        swapped[[i, j]] = swapped[[j, i]]
        out[name][axis] = (swapped, factor)
    else:
        out[name][axis] = (source, -np.asarray(factor))
    return out
