"""compare() on the ACAS Xu networks: layouts, randomised copies, other networks, pruned and perturbed ones."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fiberscope.equivalence.chain import chain_of
from fiberscope.equivalence.compare import compare, verify
from fiberscope.network import Network, load


def names(folder: Path, kind: str) -> list[str]:
    return sorted(p.name for p in (folder / kind).glob("*.onnx"))


def proved(verdict, a, b) -> bool:
    report = verify(verdict.certificate, a, b)
    assert report.valid, report.reason
    return True


@pytest.fixture(scope="module")
def subject(acasxu: Path):
    seen: dict[tuple[str, str], Network] = {}

    def get(kind: str, pair: str, suffix: str = "") -> Network:
        key = kind, pair + suffix
        if key not in seen:
            seen[key] = load(acasxu / kind / f"ACASXU_run2a_{pair}_batch_2000{suffix}.onnx")
        return seen[key]

    return get


def property_box(acasxu: Path, number: int) -> tuple[list[float], list[float]]:
    text = (acasxu / "specs" / "properties" / f"prop_{number}.vnnlib").read_text()
    edge = {}
    for sign in "<>":
        found = dict(re.findall(rf"\({sign}= X_(\d) ([-\d.e]+)\)", text))
        edge[sign] = [float(found[str(i)]) for i in range(5)]
    return edge[">"], edge["<"]


def randomised(net: Network, seed: int, scales: str) -> Network:
    """A permuted and positively rescaled copy, weights rounded to float32."""
    rng = np.random.default_rng(seed)
    new: dict[str, torch.Tensor] = {}
    order, factor = np.arange(5), np.ones(5)
    chain = chain_of(net)
    assert chain is not None
    for l, layer in enumerate(chain.layers):
        last = l == len(chain.layers) - 1
        count = layer.weight.shape[0]
        perm = np.arange(count) if last else rng.permutation(count)
        scale = np.ones(count)
        if not last:
            scale = 2.0 ** rng.integers(-3, 4, count) if scales == "pow2" else np.exp(rng.normal(size=count))
        weight = scale[:, None] * layer.weight[np.ix_(perm, order)] / factor
        for source, values in ((layer.weight_source, weight), (layer.bias_source, scale * layer.bias[perm])):
            assert source is not None
            stored = net.weights[source.name]
            flat = np.empty(stored.numel())
            flat[source.index.reshape(-1)] = values.reshape(-1)
            new[source.name] = torch.from_numpy(flat.reshape(tuple(stored.shape)))
        order, factor = perm, scale
    return net.replace(new)


def test_the_chain_of_every_layout(subject):
    for kind in ("original", "plain"):
        chain = chain_of(subject(kind, "1_1"))
        assert chain is not None
        assert chain.widths == (5, 50, 50, 50, 50, 50, 50, 5) and set(chain.activations) == {"relu"}
        assert all(l.weight_source is not None and l.bias_source is not None for l in chain.layers)


def test_a_subtracted_mean_is_exact(subject):
    from fractions import Fraction

    net = subject("perturbed", "1_1", "_perturbed_0")
    chain = chain_of(net)
    assert chain is not None and chain.layers[0].bias.dtype == object
    mean = net.weights["input_AvgImg"].double().numpy().reshape(-1)
    weight, bias = (net.weights[n].double().numpy() for n in ("Operation_1_MatMul_W", "Operation_1_Add_B"))
    for k in (0, 17, 49):
        exact = Fraction(bias[k]) - sum(Fraction(weight[i, k]) * Fraction(mean[i]) for i in range(5))
        found = chain.layers[0].bias[k]
        assert Fraction(int(found.p), int(found.q)) == exact


@pytest.mark.slow
def test_every_original_equals_its_plain_twin(acasxu: Path):
    for name in names(acasxu, "original"):
        a, b = load(acasxu / "original" / name), load(acasxu / "plain" / name)
        verdict = compare(a, b)
        assert (verdict.answer, verdict.strength) == ("equal", "exact"), name
        proved(verdict, a, b)


@pytest.mark.parametrize("pair", ["1_1", "3_3"])
def test_original_equals_plain(subject, pair: str):
    a, b = subject("original", pair), subject("plain", pair)
    for x, y in ((a, b), (b, a)):
        verdict = compare(x, y)
        assert (verdict.answer, verdict.strength, verdict.method) == ("equal", "exact", "chain")
        proved(verdict, x, y)


@pytest.mark.parametrize("scales", ["pow2", "real"])
@pytest.mark.parametrize("seed", range(3))
def test_randomised_copies(subject, scales: str, seed: int, tmp_path: Path):
    a = subject("original", ("1_1", "3_3", "5_9")[seed])
    made = randomised(a, seed, scales)
    made.save(tmp_path / "copy.onnx")
    b = load(tmp_path / "copy.onnx")
    verdict = compare(a, b)
    assert verdict.answer == "equal"
    assert verdict.strength == ("exact" if scales == "pow2" else "rounding")
    assert verdict.backward_error_ulp is not None and verdict.backward_error_ulp <= 2
    proved(verdict, a, b)
    assert compare(a, made).answer == "equal"
    other = compare(subject("plain", ("1_1", "3_3", "5_9")[seed]), b)
    assert other.answer == "equal"
    proved(other, subject("plain", ("1_1", "3_3", "5_9")[seed]), b)


def test_other_pruned_and_perturbed_are_different(subject, acasxu: Path):
    a = subject("original", "1_1")
    others = [subject("original", "1_3"), subject("perturbed", "1_1", "_perturbed_0")]
    pruned = [n for n in names(acasxu, "pruned") if "_1_1_" in n]
    others += [load(acasxu / "pruned" / n) for n in pruned]
    assert len(others) >= 3
    for b in others:
        verdict = compare(a, b)
        assert verdict.answer == "different", b.name
        proved(verdict, a, b)
        inside = compare(a, b, box=property_box(acasxu, 3))
        assert inside.answer == "different", b.name
        proved(inside, a, b)


def test_one_changed_weight(subject):
    """One weight + 1e-3 anywhere in a unit that is alive on all inputs."""
    a = subject("original", "1_1")
    rng = np.random.default_rng(0)
    for name in ("Operation_1_MatMul_W", "Operation_3_MatMul_W", "Operation_6_MatMul_W", "linear_7_MatMul_W"):
        weight = a.weights[name].clone()
        place = tuple(int(rng.integers(n)) for n in weight.shape)
        weight[place] += 1e-3
        b = randomised(a.replace({name: weight}), 1, "pow2")
        verdict = compare(a, b)
        assert verdict.answer == "different", name
        proved(verdict, a, b)


def test_the_perturbed_copy_is_within_its_tolerance(subject, acasxu: Path):
    a, b = subject("original", "1_1"), subject("perturbed", "1_1", "_perturbed_0")
    box = property_box(acasxu, 1)
    verdict = compare(a, b, box=box, tol=0.05, budget_seconds=120)
    assert (verdict.answer, verdict.strength) == ("equal", "bound"), repr(verdict)
    assert verdict.error_bound is not None and 0.0013 < verdict.error_bound <= 0.05
    proved(verdict, a, b)
    assert compare(a, b, box=box, tol=0.0005, budget_seconds=20).answer == "different"
    assert compare(a, b, box=box).answer == "different"


def test_a_warm_comparison_is_quick(subject):
    a, b = subject("original", "1_1"), subject("plain", "1_1")
    compare(a, b)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        compare(a, b)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05
