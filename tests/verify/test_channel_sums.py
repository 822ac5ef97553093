"""Certificates of channels that are sums of others: what they say holds at random points, forgeries are refused."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import pytest
from tests.equivalence.folds import planted
from tests.equivalence.test_compression_graph import compress
from tests.verify.test_channels import values
from torch import nn

import fiberscope as fs
import fiberscope_verify
from fiberscope.equivalence.certificate import Certificate
from fiberscope_verify.certificate import read_certificate
from fiberscope_verify.channel_claims import read_claims
from fiberscope_verify.channel_combinations import pieces
from fiberscope_verify.channel_steps import Walk, facts
from fiberscope_verify.lower import lower


@functools.cache
def proof(kind: str = "block") -> tuple[Certificate, fs.Network, fs.Network]:
    module, example = planted(kind, nn.LeakyReLU(0.25))
    net = fs.load(module, (example,))
    result = compress(net, box=(0, 1))
    assert result.ledger is not None
    return result.ledger.certificate(net, result.network), net, result.network


def refused(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> bool:
    _, net, small = proof()
    return not fiberscope_verify.verify(Certificate(document, arrays).to_bytes(), net.neutral(), small.neutral()).valid


def walk_of(certificate: Certificate, net: fs.Network, small: fs.Network) -> Walk:
    a, b = (fiberscope_verify.read_model(n.neutral()) for n in (net, small))
    parsed, graph = read_certificate(certificate.to_bytes()), lower(a)
    walk = Walk(graph, lower(b), read_claims(parsed, a), *facts(parsed, graph, a))
    walk.run()
    return walk


def sums_hold(walk: Walk) -> int:
    """Every sum of a walk at random points of the box; returns how many there are."""
    rng, count = np.random.default_rng(0), 0
    x = [rng.uniform(0, 1, size=walk.a.shape(v)) for v in walk.a.inputs]
    a, b = values(walk.a, x), values(walk.b, x)
    for v, relation in walk.relations.items():
        if relation is None:
            continue
        for i, s in relation.sums.items():
            p, q = np.moveaxis(a[v], relation.axis, 0), np.moveaxis(b[walk.matcher.image[v]], relation.axis, 0)
            total = sum(int(c.p) / int(c.q) * q[k] for k, c in s.terms.items()) + int(s.shift.p) / int(s.shift.q)
            np.testing.assert_allclose(p[i], np.broadcast_to(total, p[i].shape), atol=1e-13)
            count += 1
    return count


@pytest.mark.parametrize(
    "kind", ["block", *(pytest.param(k, marks=pytest.mark.slow) for k in ("pooled", "padded", "joined"))]
)
def test_sums_hold_at_random_points(kind: str):
    certificate, net, small = proof(kind)
    assert fiberscope_verify.verify(certificate.to_bytes(), net.neutral(), small.neutral()).valid
    assert sums_hold(walk_of(certificate, net, small)) > 0


def test_forgeries_are_refused():
    certificate, _, _ = proof()
    document, arrays = certificate.document, certificate.arrays
    assert not refused(document, arrays)
    steps = {s["step"]: i for i, s in enumerate(document["steps"])}
    assert set(steps) == {"units", "sums", "linear"}
    sums, linear = (document["steps"][steps[name]] for name in ("sums", "linear"))

    def changed(step: str, **entries: Any) -> dict[str, Any]:
        other = copy.deepcopy(document)
        other["steps"][steps[step]].update(entries)
        return other

    for j, text in enumerate(sums["times"]):
        for wrong in ("0/1", f"-{text}" if text[0] != "-" else text[1:], "4503599627370497/4503599627370496"):
            assert refused(changed("sums", times=[*sums["times"][:j], wrong, *sums["times"][j + 1 :]]), arrays)
    assert refused(changed("sums", times=sums["times"][:-1]), arrays)
    assert refused(changed("sums", weight="c2.weight"), arrays)
    assert refused(changed("linear", map=1), arrays)
    assert refused(changed("linear", map=99), arrays)
    assert refused(changed("linear", axis=0), arrays)
    for name in (sums["row"], sums["of"]):
        for i in range(len(arrays[name])):
            for other in (arrays[name][i] + 1, -1, 99):
                wrong = {**arrays, name: arrays[name].copy()}
                wrong[name][i] = other
                assert refused(document, wrong)
    free = np.append(arrays[linear["units"]], 6)  # unit 6 bends
    assert refused(document, {**arrays, linear["units"]: free})
    for i in range(len(arrays[linear["units"]])):
        assert refused(document, {**arrays, linear["units"]: np.delete(arrays[linear["units"]], i)})
    for name in ("sums", "linear"):
        rest = [s for s in document["steps"] if s["step"] != name]
        used = {v for s in rest for v in s.values() if isinstance(v, str) and v in arrays}
        assert refused({**document, "steps": rest}, {k: arrays[k] for k in used})
    assert refused({**document, "steps": [*document["steps"], sums]}, arrays)
    assert refused({**document, "steps": [*document["steps"], linear]}, arrays)
    assert refused({**document, "domain": "all"}, arrays)
    wider = copy.deepcopy(document)
    wider["domain"]["lo"][0] = -30.0
    assert refused(wider, arrays)


def test_one_bend_of_a_billionth_is_seen():
    low, high = np.array([[0.0, 1.0], [-1e-9, 1.0], [-2.0, 0.0], [-2.0, 1e-300]]), np.full((4, 2), 3.0)
    high[2:] = [[0.0, -1.0], [1e-300, -1.0]]
    low[3] = -2.0
    assert pieces("relu", (), low, high) == {0: 1}
    assert pieces("leaky_relu", ((0.25).hex(),), low, high) == {0: 1, 2: fiberscope_number(0.25)}
    assert pieces("abs", (), low, high) == {0: 1, 2: -1}
    assert pieces("clip", ((-2.0).hex(), (3.0).hex()), low, high) == dict.fromkeys(range(4), 1)
    assert pieces("clip", ((-1e-9).hex(), (3.0).hex()), low, high) == {0: 1, 1: 1}
    assert pieces("tanh", (), low, high) == {}


def fiberscope_number(x: float) -> Any:
    from flint import fmpq

    return fmpq(*x.as_integer_ratio())
