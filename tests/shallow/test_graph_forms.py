"""One hidden layer as people write and export it: read exactly, decided by compare, and every decision verifies."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.shallow.test_from_network import loaded, values
from torch import Tensor, nn

import fiberscope as fs
from fiberscope.equivalence.certificate import Certificate
from fiberscope.errors import InputError
from fiberscope.shallow.from_network import shallow_model

N, D = 3, 5


class Form(nn.Module):
    """Weights of one hidden layer, and a way to write its function down."""

    def __init__(self, write: Callable[[Form, Tensor], Tensor], slope: Tensor | None = None, seed: int = 0) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(seed)
        self.W, self.b = (nn.Parameter(torch.randn(*s, generator=made)) for s in ((D, N), (D,)))
        self.q, self.c = (nn.Parameter(torch.randn(*s, generator=made)) for s in ((2, D), (2,)))
        self.a = nn.Parameter(torch.tensor([0.25]) if slope is None else slope)
        self.write = write

    def forward(self, x: Tensor) -> Tensor:
        return self.write(self, x)

    def copy(self, seed: int = 1) -> Form:
        """The same function: units in another order, scaled by powers of two."""
        rng = np.random.default_rng(seed)
        order = torch.from_numpy(rng.permutation(D))
        scale = torch.from_numpy(2.0 ** rng.integers(-3, 4, D)).to(self.W.dtype)
        other = Form(self.write, self.a.detach().clone())
        with torch.no_grad():
            other.W.copy_(self.W[order] * scale[:, None])
            other.b.copy_(self.b[order] * scale)
            other.q.copy_(self.q[:, order] / scale)
            other.c.copy_(self.c)
        return other


def pre(m: Form, x: Tensor) -> Tensor:
    return x @ m.W.T + m.b


def post(m: Form, h: Tensor) -> Tensor:
    return h @ m.q.T + m.c


FORMS: dict[str, Callable[[Form, Tensor], Tensor]] = {
    "prelu": lambda m, x: post(m, nn.functional.prelu(pre(m, x), m.a)),
    "max": lambda m, x: post(m, torch.maximum(pre(m, x), torch.zeros_like(pre(m, x)))),
    "leaky max": lambda m, x: post(m, torch.maximum(pre(m, x), 0.125 * pre(m, x))),
    "where": lambda m, x: post(m, torch.where(pre(m, x) > 0, pre(m, x), 0.5 * pre(m, x))),
    "twice": lambda m, x: post(m, pre(m, x).relu().relu()),
    "threshold": lambda m, x: post(m, nn.functional.threshold(pre(m, x), 0.0, 0.0)),
    "halves": lambda m, x: post(m, torch.cat([pre(m, x)[:, :2].relu(), pre(m, x)[:, 2:].relu()], 1)),
    "heads": lambda m, x: torch.cat([pre(m, x).relu() @ m.q[:1].T, pre(m, x).relu() @ m.q[1:].T], 1) + m.c,
    "both signs": lambda m, x: torch.cat([pre(m, x).relu(), (-pre(m, x)).relu()], 1) @ torch.cat([m.q, m.q], 1).T,
    "sum": lambda m, x: (pre(m, x).relu() * m.q[0]).sum(-1, keepdim=True),
    "vector": lambda m, x: pre(m, x).relu() @ m.q[0] + m.c[0],
    "einsum": lambda m, x: torch.einsum("bd,kd->bk", torch.einsum("bn,dn->bd", x, m.W).relu(), m.q),
    "addmm": lambda m, x: torch.addmm(m.c, torch.addmm(m.b, x, m.W.T, beta=2, alpha=0.5).relu(), m.q.T, alpha=3),
}


@lru_cache
def traced(name: str, slopes: int = 1) -> fs.Network:
    """The form with some weights; others are put into the same graph."""
    return fs.load(Form(FORMS[name], torch.full((slopes,), 0.25)).eval(), (torch.zeros(2, N),))


def with_weights(net: fs.Network, module: Form) -> fs.Network:
    return net.replace({name: tensor.detach() for name, tensor in module.state_dict().items() if name in net.weights})


def saved(module: Form, path: Path) -> fs.Network:
    example = (torch.zeros(2, N),)
    torch.export.save(torch.export.export(module.eval(), example, dynamic_shapes=({0: torch.export.Dim("b")},)), path)
    return fs.load(path)


def check(nets: list[fs.Network]) -> None:
    """The first is read rightly, equal to the second, different from the third, with certificates that verify."""
    x = np.random.default_rng(0).standard_normal((20, N))
    assert np.allclose(values(shallow_model(nets[0]), x), nets[0].run_flat(x).reshape(20, -1), atol=1e-5)
    for other, answer in ((nets[1], "equal"), (nets[2], "different")):
        verdict = fs.compare(nets[0], other, exact=True)
        assert verdict.answer == answer and verdict.certificate is not None
        report = fs.verify(verdict.certificate, nets[0], other)
        assert report.valid, report.reason


def three(name: str) -> list[Form]:
    """A form, an equal one, and one that is an ulp beside."""
    a = Form(FORMS[name])
    b, c = a.copy(), a.copy()
    with torch.no_grad():
        c.W[2, 1] = torch.nextafter(c.W[2, 1], torch.tensor(9.0))
    return [a, b, c]


@pytest.mark.parametrize("name", FORMS)
def test_forms_are_read_and_decided(name: str):
    check([with_weights(traced(name), module) for module in three(name)])


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_forms_in_files_are_read_and_decided(name: str, tmp_path: Path):
    check([saved(module, tmp_path / f"{i}.pt2") for i, module in enumerate(three(name))])


def sloped(value: float, number: int) -> fs.Network:
    return with_weights(traced("prelu", number), Form(FORMS["prelu"], torch.full((number,), value)))


@pytest.mark.parametrize("number", [1, D])
@pytest.mark.parametrize("value", [0.25, -0.5, 0.0, 1.5, -1.0])
def test_a_stored_slope_counts_as_its_number(number: int, value: float):
    a, b = sloped(value, number), sloped(value, D + 1 - number)
    assert shallow_model(a).activation == {0.0: "relu", -1.0: "abs"}.get(value, f"leaky_relu({value!r})")
    equal = fs.compare(a, b, exact=True)
    assert equal.answer == "equal"
    off = sloped(float(np.nextafter(np.float32(value), np.float32(9))), number)
    verdict = fs.compare(a, off, exact=True)
    assert verdict.answer == "different"
    assert verdict.certificate is not None and fs.verify(verdict.certificate, a, off).valid
    proof = equal.certificate
    assert isinstance(proof, Certificate)
    for method in ("chain", "shallow", "graph"):  # and no certificate says otherwise
        document = {**proof.document, "method": method}
        document["models"] = [proof.document["models"][0], {**proof.document["models"][1], "sha256": off.sha256}]
        assert not fs.verify(Certificate(document, proof.arrays), a, off).valid


def test_different_slopes_are_refused():
    with pytest.raises(InputError, match="where of two different tensors"):
        shallow_model(with_weights(traced("prelu", D), Form(FORMS["prelu"], torch.arange(D) / 8)))


def test_a_copy_up_to_rounding_stays_equal_up_to_rounding():
    """Weights that the reader multiplies out are compared as they are stored."""
    for name in ("prelu", "halves", "addmm"):
        a = traced(name)
        b = fs.symmetries(a).random(seed=3)(a)
        verdict = fs.compare(a, b)
        assert (verdict.answer, verdict.strength) == ("equal", "rounding"), name
        assert verdict.certificate is not None and fs.verify(verdict.certificate, a, b).valid


def test_a_column_vector_as_input(tmp_path: Path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    shapes = {"W1": (4, 3), "b1": (4, 1), "W2": (1, 4), "b2": (1, 1), "s": (1, 1)}
    stored = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    lines = [("MatMul", "W1 x", "h"), ("Add", "h b1", "z"), ("PRelu", "z s", "a"), ("MatMul", "W2 a", "o"),
             ("Add", "b2 o", "y")]  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node(op, ins.split(), [out]) for op, ins, out in lines],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(a, n) for n, a in stored.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 9
    onnx.save(made, tmp_path / "m.onnx")
    net = fs.load(tmp_path / "m.onnx")
    model = shallow_model(net)
    assert (model.units, model.inputs, model.activation) == (4, 3, f"leaky_relu({float(stored['s'][0, 0])!r})")
    x = rng.standard_normal((20, 3))
    assert np.allclose(values(model, x), net.run_flat(x), atol=1e-12)


@pytest.mark.parametrize(
    ("module", "shape", "words"),
    [
        (
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1)),
            (3,),
            "fold it into the linear",
        ),
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)), (5, 3), "several rows of each"),
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU6(), nn.Softmax(1)), (3,), "_softmax is not read"),
    ],
)
def test_what_cannot_be_read_says_why(module: nn.Module, shape: tuple[int, ...], words: str):
    with pytest.raises(InputError, match=words):
        shallow_model(loaded(module, *shape))
