"""Graph certificates on traced torch models: coherent changes of axes pass, incoherent ones fail."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from tests.verify.forge import certificate

from fiberscope_verify import evaluate, read_model, verify

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # from torch.export


class Block(nn.Module):
    """Convolutions with batch norm, a residual sum, squeeze-excite gating, a depthwise convolution, a linear head."""

    def __init__(self):
        super().__init__()
        self.stem, self.bn = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.mid, self.back = nn.Conv2d(6, 5, 3, padding=1), nn.Conv2d(5, 6, 1)
        self.deep = nn.Conv2d(6, 6, 3, groups=6)
        self.gate = nn.Linear(6, 6)
        self.head = nn.Linear(6 * 9, 4)

    def forward(self, x):
        h = torch.relu(self.bn(self.stem(x)))
        h = h + self.back(torch.relu(self.mid(h)))
        h = torch.relu(self.deep(h))
        h = h * torch.sigmoid(self.gate(h.mean((2, 3))))[:, :, None, None]
        return self.head(torch.max_pool2d(h, 2).flatten(1))


def perturb(module):
    generator = torch.Generator().manual_seed(3)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            shift = 0.5 if "norm" in name or "bn." in name else -0.5
            value.copy_(torch.rand(value.shape, generator=generator) + shift)
    return module.eval()


def export(module, x, path, decompose=True):
    program = torch.export.export(module, (x,))
    torch.export.save(program.run_decompositions() if decompose else program, path)
    return path


def transformed(module, change):
    """A copy of the module with weights changed axis by axis: {weight: {axis: (source, factor)}}."""
    other = copy.deepcopy(module)
    state = other.state_dict()
    for name, axes in change.items():
        w = state[name].detach().double().numpy().copy()
        for axis, (source, factor) in axes.items():
            w = np.take(w, source, axis=axis)
            w = w * np.asarray(factor).reshape([-1 if i == axis else 1 for i in range(w.ndim)])
        state[name].copy_(torch.tensor(w))
    return other


def with_arrays(model, module):
    """The same graph with a module's weights, without exporting again."""
    state = module.state_dict()
    arrays = {k: state[k].detach().numpy().copy() for k in model.arrays}
    return replace(model, arrays=arrays, sha256="2" * 64, prepared={})


def proof(module, change):
    """The steps and arrays of a graph certificate."""
    names = [k for k, v in module.state_dict().items() if v.is_floating_point()]
    steps, arrays = [{"step": "weights", "pairs": [[n, n] for n in names]}], {}
    for i, (name, axes) in enumerate(change.items()):
        listed = []
        for axis in range(module.state_dict()[name].ndim):
            entry = {"source": None, "sign": None, "scale": None, "exponent": None}
            if axis in axes:
                source, factor = axes[axis]
                entry |= {"source": f"p{i}_{axis}", "scale": f"s{i}_{axis}"}
                arrays |= {
                    f"p{i}_{axis}": np.asarray(source, dtype="i8"),
                    f"s{i}_{axis}": np.asarray(factor, dtype="f8"),
                }
            listed.append(entry)
        steps.append({"step": "axes", "weight": name, "axes": listed})
    return steps, arrays


def block_change(rng):
    """Permute the residual channels; permute and scale the inner ones."""
    p, q = rng.permutation(6), rng.permutation(5)
    s, r = 2.0 ** rng.integers(-2, 3, 6), 2.0 ** rng.integers(-2, 3, 5)
    flat = (p[:, None] * 9 + np.arange(9)).reshape(-1)
    one = np.ones(6)
    stem = {n: {0: (p, one)} for n in ("stem.weight", "stem.bias", "bn.running_mean", "bn.running_var")}
    out = {
        "deep.weight": {0: (p, 1 / s)},
        "deep.bias": {0: (p, one)},
        "gate.weight": {0: (p, one), 1: (p, one)},
        "gate.bias": {0: (p, one)},
        "head.weight": {1: (flat, np.ones(54))},
    }
    inner = {
        "mid.weight": {0: (q, r), 1: (p, 1 / s)},
        "mid.bias": {0: (q, r)},
        "back.weight": {0: (p, s), 1: (q, 1 / r)},
        "back.bias": {0: (p, s)},
        "bn.weight": {0: (p, s)},
        "bn.bias": {0: (p, s)},
    }
    return stem | out | inner


@pytest.mark.parametrize("decompose", [True, False])
def test_convolutional_block(tmp_path, decompose):
    rng = np.random.default_rng(0)
    module, change = perturb(Block()), block_change(rng)
    other, x = transformed(module, change), torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    a, b = export(module, x, tmp_path / "a.pt2", decompose), export(other, x, tmp_path / "b.pt2", decompose)
    assert torch.allclose(module(x), other(x), atol=1e-4)
    steps, arrays = proof(module, change)
    report = verify(certificate(a, b, steps, arrays, method="graph"), a, b)
    assert report.valid, report.reason
    sample = x[0].double().numpy().reshape(-1)
    mid, rad = evaluate(a, sample)
    truth = module.double()(x.double())[0].detach().numpy()
    assert np.all(np.abs(mid - truth) <= rad + 1e-9)
    for name in change:  # one tensor left behind, its step too: weights agree, the axes do not
        rest = {k: v for k, v in change.items() if k != name}
        c = with_arrays(read_model(a), transformed(module.float(), rest))
        assert not verify(certificate(a, c, *proof(module, rest), method="graph"), a, c).valid, name
        assert not verify(certificate(a, b, *proof(module, rest), method="graph"), a, b).valid, name


class Attention(nn.Module):
    """Two encoder layers with GELU on tokens, a linear head."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 10, dropout=0.0, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head(self.layers(self.table(tokens)))


def attention_change(rng, module):
    """Residual, head and hidden permutations, with unequal inner changes of q, k and of v, output in each head."""
    p = rng.permutation(8)
    one = np.ones(8)
    change = {"table.weight": {1: (p, one)}, "head.weight": {1: (p, one)}}
    for i in range(2):
        n = f"layers.layers.{i}."
        heads = rng.permutation(2)
        inner = [rng.permutation(4) for _ in range(4)]
        qk = np.concatenate([4 * h + inner[h] for h in heads])
        vo = np.concatenate([4 * h + inner[2 + h] for h in heads])
        s, r = (
            2.0 ** rng.integers(-2, 3, 8) * rng.choice([-1, 1], 8),
            2.0 ** rng.integers(-2, 3, 8) * rng.choice([-1, 1], 8),
        )
        rows = (np.concatenate([qk, 8 + qk, 16 + vo]), np.concatenate([s, 1 / s, r]))
        change |= {n + "self_attn.in_proj_weight": {0: rows, 1: (p, one)}, n + "self_attn.in_proj_bias": {0: rows}}
        change |= {
            n + "self_attn.out_proj.weight": {0: (p, one), 1: (vo, 1 / r)},
            n + "self_attn.out_proj.bias": {0: (p, one)},
        }
        m = rng.permutation(10)
        change |= {n + "linear1.weight": {0: (m, np.ones(10)), 1: (p, one)}, n + "linear1.bias": {0: (m, np.ones(10))}}
        change |= {n + "linear2.weight": {0: (p, one), 1: (m, np.ones(10))}, n + "linear2.bias": {0: (p, one)}}
        change |= {n + k: {0: (p, one)} for k in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias")}
    return change


def test_transformer(tmp_path):
    rng = np.random.default_rng(1)
    module = perturb(Attention())
    change = attention_change(rng, module)
    other, x = transformed(module, change), torch.randint(0, 11, (3, 5), generator=torch.Generator().manual_seed(1))
    torch.backends.mha.set_fastpath_enabled(False)
    a, b = export(module, x, tmp_path / "a.pt2"), export(other, x, tmp_path / "b.pt2")
    assert torch.allclose(module(x), other(x), atol=1e-4)
    steps, arrays = proof(module, change)
    report = verify(certificate(a, b, steps, arrays, method="graph"), a, b)
    assert report.valid, report.reason
    mid, rad = evaluate(a, x[0].numpy())
    truth = module.double()(x)[0].detach().numpy().reshape(-1)
    assert np.all(np.abs(mid - truth) <= rad + 1e-9)
    assert rad.max() < 1e-6
    for name in list(change)[::3]:  # each tensor left as it was makes another network
        rest = {k: v for k, v in change.items() if k != name}
        c = with_arrays(read_model(a), transformed(module.float(), rest))
        assert not verify(certificate(a, c, *proof(module, rest), method="graph"), a, c).valid, name
    scaled = copy.deepcopy(change)
    scaled["layers.layers.0.linear1.bias"][0][1][0] = 2.0  # a scale that GELU does not let pass
    scaled["layers.layers.0.linear1.weight"][0] = scaled["layers.layers.0.linear1.bias"][0]
    c = with_arrays(read_model(a), transformed(module.float(), scaled))
    assert not verify(certificate(a, c, *proof(module, scaled), method="graph"), a, c).valid
