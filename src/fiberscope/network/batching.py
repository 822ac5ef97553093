"""Run a traced graph at any number of samples.

Tracing bakes the example batch into views and expansions. Three ways out, from fast to slow: graphs without such
literals simply run at another batch (found by trying once and comparing); otherwise the samples are cut into chunks of
the traced batch, the last one padded, and ``torch.vmap`` maps over the chunks; otherwise a Python loop does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fiberscope.network.interpreter import Plan, placeholder_values

if TYPE_CHECKING:
    from fiberscope.network.program import Program

BUDGET = 1 << 28  # bytes that the largest intermediate tensor of one call may take
Run = Callable[[list[Tensor]], list[Tensor]]


def samples_per_call(program: Program) -> int:
    """How many copies of the traced batch fit the memory budget at once."""
    if "largest" not in program.memory:
        sizes = [n.meta["val"].numel() for n in program.graph.nodes if isinstance(n.meta.get("val"), Tensor)]
        program.memory["largest"] = max([1, *sizes])
    return max(1, BUDGET // (8 * program.memory["largest"]))


def run_batch(program: Program, run: Run, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Outputs for N samples; every input has the samples on axis 0. ``run`` evaluates the traced shapes."""
    count = inputs[0].shape[0]
    batch = program.inputs[0].shape[0] if program.batched else 0
    if count == 0:
        shapes = zip(program.outputs, program.output_nodes, strict=True)
        return [torch.empty((0, *shape), dtype=node.meta["val"].dtype) for shape, node in shapes]
    if batch and count == batch:
        return run(list(inputs))
    copies = samples_per_call(program)
    if batch and direct_works(program, run, inputs, batch):
        parts = [run([x[i : i + copies * batch] for x in inputs]) for i in range(0, count, copies * batch)]
        return [torch.cat(column) for column in zip(*parts, strict=True)]
    group = batch or 1
    chunks = -(-count // group)
    pairs = zip(inputs, program.inputs, strict=True)
    stacked = [pad(x, chunks * group).reshape(chunks, *spec.shape) for x, spec in pairs]
    parts = [mapped(program, run, [x[i : i + copies] for x in stacked]) for i in range(0, chunks, copies)]
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    if batch:
        columns = [x.reshape(chunks * group, *x.shape[2:]) for x in columns]
    return [x[:count] for x in columns]


def pad(x: Tensor, count: int) -> Tensor:
    """Repeat the last sample until there are ``count``."""
    missing = count - x.shape[0]
    return torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x


@contextmanager
def quiet_fallback() -> Iterator[None]:
    """Silence torch's note that an operator runs sample by sample under vmap: it is right, only slower."""
    functorch = getattr(torch._C, "_functorch", None)
    switch = getattr(functorch, "_set_vmap_fallback_warning_enabled", None)
    if switch is None:
        yield
        return
    asked = getattr(functorch, "_is_vmap_fallback_warning_enabled", None)
    before = True if asked is None else bool(asked())
    switch(False)
    try:
        yield
    finally:
        switch(before)


def mapped(program: Program, run: Run, stacked: list[Tensor]) -> list[Tensor]:
    """``run`` over axis 0 by ``torch.vmap``, or by a loop where an operator has no batching rule."""

    def unpacked(*xs: Tensor) -> tuple[Tensor, ...]:
        return tuple(run([*xs]))

    if stacked[0].shape[0] > 1 and program.memory.get("vmap", True):
        try:
            with quiet_fallback():
                return list(torch.vmap(unpacked)(*stacked))
        except RuntimeError:
            program.memory["vmap"] = False
    parts = [run([x[i] for x in stacked]) for i in range(stacked[0].shape[0])]
    return [torch.stack(column) for column in zip(*parts, strict=True)]


def direct_works(program: Program, run: Run, inputs: Sequence[Tensor], batch: int) -> bool:
    """True when the graph holds no literal batch size: tried once on 2 batch + 1 samples against the chunked run."""
    if "direct" not in program.memory:
        count = 2 * batch + 1
        probe = [x[torch.arange(count) % x.shape[0]] for x in inputs]
        program.memory["direct"] = same_outputs(program, run, probe, batch)
    return program.memory["direct"]


def same_outputs(program: Program, run: Run, probe: list[Tensor], batch: int) -> bool:
    """Compare one call on all samples with calls on the traced batch."""
    count = probe[0].shape[0]
    try:
        together = run(list(probe))
    except (RuntimeError, IndexError, ValueError, TypeError):
        return False
    for start in range(0, count, batch):
        rows = torch.arange(start, start + batch) % count
        apart = run([x[rows] for x in probe])
        for whole, part in zip(together, apart, strict=True):
            if whole.shape[:1] != (count,) or whole.shape[1:] != part.shape[1:] or not near(whole[rows], part):
                return False
    return True


def near(a: Tensor, b: Tensor) -> bool:
    """Equal up to the rounding of a different summation order."""
    if not a.is_floating_point():
        return bool(torch.equal(a, b))
    tolerance = torch.finfo(a.dtype).eps ** 0.5
    scale = float(b.nan_to_num(0, 0, 0).abs().max()) if b.numel() else 0.0
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


def mixes_samples(program: Program, weights: Mapping[str, Tensor]) -> bool:
    """True when changing the last sample of a random batch changes the outputs of the first."""
    generator = torch.Generator().manual_seed(0)

    def sample(shape: tuple[int, ...], dtype: torch.dtype, high: int | None) -> Tensor:
        if dtype.is_floating_point:
            return torch.rand(shape, generator=generator).to(dtype)
        return torch.randint(0, high or 2, shape, generator=generator).to(dtype)

    first = [sample(s.shape, s.dtype, s.high) for s in program.inputs]
    other = [sample(s.shape, s.dtype, s.high) for s in program.inputs]
    second = [torch.cat([x[:1], y[1:]]) for x, y in zip(first, other, strict=True)]
    plan = Plan(program.graph, None)
    results = []
    with torch.no_grad():
        for inputs in (first, second):
            given = dict(zip(program.input_names, inputs, strict=True))
            values = placeholder_values(program.graph, program.weight_of, program.constants, given, weights, None)
            results.append(plan(values, program.output_nodes))
    return not all(near(a[:1], b[:1]) for a, b in zip(*results, strict=True))
