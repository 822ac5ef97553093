"""Sizes for the symbolic axes of an ONNX model's inputs.

The leading axis is the batch: 2. Other symbolic sizes are tried from a short list: image sizes for inputs of rank 4,
small primes otherwise (so that a factor of a reshape is unambiguous), ones at last. A caller who knows better passes
``input_shapes``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fiberscope.errors import LoadError
from fiberscope.network.onnx_graph import OnnxGraph

IMAGE_SIZES = ((32, 64), (48, 96), (64, 128), (48, 192), (224, 224), (1, 1))
SEQUENCE_SIZES = ((7, 11), (8, 16), (16, 16), (1, 1))


def candidates(graph: OnnxGraph, given: Mapping[str, Sequence[int]] | None) -> Iterator[dict[str, tuple[int, ...]]]:
    """Assignments of shapes to inputs, in the order in which to try them.

    Errors: :class:`LoadError` when ``given`` names no input or contradicts a fixed size.
    """
    given = dict(given or {})
    names = [item.name for item in graph.inputs]
    for name in given:
        if name not in names:
            raise LoadError(f"{graph.path}: input_shapes names {name!r}, but the inputs are {', '.join(names)}")
    symbolic = any(isinstance(size, str) for item in graph.inputs for size in item.dims)
    inner = any(isinstance(size, str) for item in graph.inputs if item.name not in given for size in item.dims[1:])
    seen = set()
    for choice in range(len(IMAGE_SIZES) if inner else 1):
        for batch in (2, 1) if symbolic else (2,):
            shapes = {
                item.name: shape_of(graph, item.dims, given.get(item.name), item.name, batch, choice)
                for item in graph.inputs
            }
            key = tuple(shapes.values())
            if key not in seen:
                seen.add(key)
                yield shapes


def shape_of(
    graph: OnnxGraph, dims: tuple[int | str, ...], given: Sequence[int] | None, name: str, batch: int, choice: int
) -> tuple[int, ...]:
    """One input's shape for one choice of sizes."""
    if given is not None:
        shape = tuple(int(size) for size in given)
        fits = len(shape) == len(dims) and all(isinstance(d, str) or d == s for d, s in zip(dims, shape, strict=True))
        if not fits or min(shape, default=1) < 1:
            raise LoadError(f"{graph.path}: input_shapes[{name!r}] = {list(shape)} does not fit {list(dims)}")
        return shape
    sizes = IMAGE_SIZES if len(dims) >= 4 else SEQUENCE_SIZES
    pool = list(sizes[min(choice, len(sizes) - 1)])
    assigned: dict[str, int] = {}
    shape = []
    for axis, size in enumerate(dims):
        if isinstance(size, int):
            shape.append(size)
        elif axis == 0:
            shape.append(batch)
        else:
            key = size if size not in ("", "?") else f"axis {axis}"
            if key not in assigned:
                assigned[key] = pool[min(len(assigned), len(pool) - 1)]
            shape.append(assigned[key])
    return tuple(shape)
