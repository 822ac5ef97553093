"""Method "names": both networks written in one table of names; equal if every output is the same form.

Step {"step": "names"}: the checker names everything by itself; identities of activations may stand before it
(identities.py). Strength "exact": equal names are equal functions on all inputs (names.py). Strength "rounding":
near_names.py says what is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .certificate import Certificate, fields
from .core import Graph
from .form import Form
from .identities import MAX_IDENTITIES, Identity, Related, read_identity
from .lower import lower
from .model import Model
from .names import LIMIT, Table
from .near_names import NearTable
from .report import need
from .scalars import Walk, boxed, live


def check_names(certificate: Certificate, a: Model, b: Model, checked: list[str]) -> None:
    """All steps of the method; raises Reject where one fails."""
    need(1 <= len(certificate.steps) <= MAX_IDENTITIES + 1, "a names certificate has identities and one step, names")
    fields(certificate.steps[-1], "names")
    identities = [read_identity(step) for step in certificate.steps[:-1]]
    checked += [f"an identity of {identity.function} with {len(identity.terms)} terms" for identity in identities]
    certificate.box(common_size(a, b))
    if certificate.max_ulp is None:
        table = same_names(a, b, identities)
        checked.append(f"every output has the same name in both networks ({len(table.entries)} names)")
    else:
        need(not identities, "identities go with strength exact")
        worst = nearly_same_names(a, b, certificate.max_ulp)
        checked.append(f"the same names after changes of at most {worst:.3g} units in the last place")


def same_names(a: Model, b: Model, identities: Sequence[Identity] = (), limit: int = LIMIT) -> Table:
    """The table in which all outputs of both networks have the same names; Reject if they have not."""
    table, first, second = written(a, b, Related(common_size(a, b), limit, list(identities)))
    for k, (p, q) in enumerate(zip(first, second, strict=True)):
        need(p.key == q.key, f"output {k} has another name")
    return table


def nearly_same_names(a: Model, b: Model, max_ulp: int, limit: int = LIMIT) -> float:
    """The backward error in units in the last place, at most ``max_ulp``; Reject where more would be needed."""
    finer = {b.dtypes.get(name, array.dtype.name) for name, array in b.arrays.items() if array.dtype.kind == "f"}
    table, first, second = written(a, b, NearTable(common_size(a, b), max_ulp, limit, sorted(finer)))
    assert isinstance(table, NearTable)
    table.settle(list(zip(first, second, strict=True)))
    return table.worst


def written(a: Model, b: Model, table: Table) -> tuple[Table, list[Form], list[Form]]:
    """Both networks in one table: the forms of their outputs, flat and in order."""
    n = common_size(a, b)
    first, second = read(a, table, 0, n), read(b, table, 1, n)
    need(len(first) == len(second), "the models have different numbers of outputs")
    return table, first, second


def graph_of(model: Model) -> Graph:
    """The core graph, kept between calls; Reject where it is not made of single real numbers."""
    if "graph" not in model.prepared:
        model.prepared["graph"] = lower(model)
    graph = model.prepared["graph"]
    need(not any(v in graph.integral or v in graph.boolean for v in graph.inputs), "an input of whole numbers")
    return graph


def sizes(model: Model) -> list[int]:
    """How many numbers one sample may have: all, or those of one of the samples of a traced batch."""
    graph = graph_of(model)
    shapes = [graph.shape(v) for v in graph.inputs]
    whole, lead = sum(map(math.prod, shapes)), {s[0] for s in shapes if len(s) > 1}
    batch = lead.pop() if len(lead) == 1 and all(len(s) > 1 for s in shapes) else 1
    if batch == 1 or model.batched is False:
        return [whole]
    return [whole // batch] if model.batched else [whole, whole // batch]


def common_size(a: Model, b: Model) -> int:
    """The number of inputs of one sample; the two models must have one in common."""
    both = set(sizes(a)) & set(sizes(b))
    need(both, "the models have different inputs")
    return max(both)


def read(model: Model, table: Table, side: int, n: int) -> list[Form]:
    """The outputs of one sample. A traced batch holds copies of it; if it is not known to be one, see `apart`."""
    graph = graph_of(model)
    live(graph)
    copies = sum(math.prod(graph.shape(v)) for v in graph.inputs) // n
    outputs = run(graph, model, table, side, n, [list(range(n))] * copies)
    if copies == 1:
        return outputs[0]
    if model.batched is None:
        apart(graph, model, n, copies)
    return outputs[0]


def run(graph: Graph, model: Model, table: Table, side: int, n: int, samples: list[list[int]]) -> list[list[Form]]:
    """The outputs of every sample, each sample given by the numbers of its input entries."""
    at, inputs = 0, []
    for v in graph.inputs:
        size = math.prod(graph.shape(v)) // len(samples)
        numbers = [i for sample in samples for i in sample[at : at + size]]
        inputs.append(boxed([Form(0.0, {i: 1.0}) for i in numbers], graph.shape(v)))
        at += size
    outputs = Walk(graph, model, table, side, inputs).outputs()
    if len(samples) == 1:
        return [[form for out in outputs for form in out.reshape(-1)]]
    need(all(out.shape[:1] == (len(samples),) for out in outputs), "an output has no batch axis")
    return [[form for out in outputs for form in out[s].reshape(-1)] for s in range(len(samples))]


def apart(graph: Graph, model: Model, n: int, copies: int) -> None:
    """The samples along the first axis are treated alike and apart: sample s gives the function of sample 0."""
    table = Table(n * copies)
    mixed = run(graph, model, table, 0, n, [list(range(s * n, (s + 1) * n)) for s in range(copies)])
    for s, forms in enumerate(mixed):
        alone = run(graph, model, table, 0, n, [list(range(s * n, (s + 1) * n))] * copies)[0]
        same = all(p.key == q.key for p, q in zip(forms, alone, strict=True))
        need(same, "the samples of a batch are not treated alike")
