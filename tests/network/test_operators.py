"""Every ONNX operator that is read, on a one-node model, against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.network.onnx_models import helper, model, oracle, write

from fiberscope.network import load
from fiberscope.network.operators import OPERATORS

RNG = np.random.default_rng(7)


def f(*shape: int) -> np.ndarray:
    """Random float32."""
    return RNG.standard_normal(shape).astype(np.float32)


def u(*shape: int) -> np.ndarray:
    """Random float32 in (0.1, 0.9)."""
    return RNG.uniform(0.1, 0.9, shape).astype(np.float32)


def i(*values: Any) -> np.ndarray:
    """An int64 vector."""
    return np.array(values, dtype=np.int64)


def s(value: float) -> np.ndarray:
    """A float32 scalar."""
    return np.array(value, dtype=np.float32)


Case = tuple[str, dict[str, np.ndarray], dict[str, np.ndarray], dict[str, Any], int, int]
CASES: list[Case] = []


def case(
    op: str,
    inputs: list[np.ndarray],
    constants: list[np.ndarray | None] | None = None,
    *,
    opset: int = 17,
    outputs: int = 1,
    **attributes: Any,
) -> None:
    """Add a case: the inputs first, then the constants (None leaves a slot out)."""
    named = {f"x{k}": value for k, value in enumerate(inputs)}
    fixed = {f"c{k}": value for k, value in enumerate(constants or []) if value is not None}
    slots = [*named, *[f"c{k}" if v is not None else "" for k, v in enumerate(constants or [])]]
    CASES.append((op, named, fixed, {"slots": slots, **attributes}, opset, outputs))


for op in [
    "Abs",
    "Atan",
    "Ceil",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Neg",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
    "Celu",
    "Asinh",
    "IsNaN",
    "IsInf",
]:
    case(op, [f(2, 3, 4)])
for op in ["Log", "Sqrt", "Reciprocal", "Acos", "Asin", "Atanh"]:
    case(op, [u(2, 3)])
case("Acosh", [u(2, 3) + 2])
case("Mish", [f(2, 3)], opset=18)
case("Gelu", [f(2, 3)], opset=20)
case("Gelu", [f(2, 3)], opset=20, approximate="tanh")
case("Elu", [f(2, 3)], alpha=0.7)
case("HardSigmoid", [f(2, 3)], alpha=1 / 6, beta=0.4)
case("Shrink", [f(4, 5)], lambd=0.4, bias=0.1)
case("PRelu", [f(2, 3, 4, 4)], [u(3, 1, 1)])
for op in ["Add", "Sub", "Mul", "Div"]:
    case(op, [f(2, 3, 4), u(3, 4)])
    case(op, [f(2, 3, 4)], [u(4)])
    case(op, [f(2, 3, 4)], [s(0.7)])
    case(op, [RNG.integers(1, 9, (2, 3)), RNG.integers(1, 5, (2, 3))])
case("Pow", [u(2, 3)], [s(2.0)])
case("Pow", [u(2, 3), f(2, 3)])
case("Mod", [RNG.integers(1, 9, (2, 3)), RNG.integers(1, 5, (2, 3))])
for op in ["Sum", "Max", "Min", "Mean"]:
    case(op, [f(2, 3), f(2, 3), f(3)])
for op in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]:
    case(op, [f(2, 3)], [s(0.2)])
    case(op, [f(2, 3), f(3)])
for op in ["And", "Or", "Xor"]:
    case(op, [f(2, 3) > 0, f(2, 3) > 0])
case("Not", [f(2, 3) > 0])
case("Where", [f(2, 3) > 0, f(2, 3), f(3)])
case("Cast", [f(2, 3) * 5], to=7)
case("Cast", [f(2, 3)], to=11)
case("CastLike", [f(2, 3), i(1)])
case("Clip", [f(2, 9)], [s(-0.5), s(0.5)])
case("Clip", [f(2, 9)], [None, s(0.5)])
case("Clip", [f(2, 9)], opset=6, min=0.0, max=0.6)
for op in ["Softmax", "LogSoftmax", "Hardmax"]:
    case(op, [f(2, 3, 4)], axis=1)
    case(op, [f(2, 3, 4)], opset=11, axis=1)
case("Dropout", [f(2, 3)])
case("Dropout", [f(2, 3)], opset=10, ratio=0.4)
case("MatMul", [f(2, 3, 4), f(4, 5)])
case("MatMul", [f(2, 3, 4)], [f(4, 5)])
case("MatMul", [f(4)], [f(4, 5)])
case("Gemm", [f(2, 4)], [f(4, 5), f(5)])
case("Gemm", [f(2, 4)], [f(5, 4), f(5)], transB=1)
case("Gemm", [f(4, 2)], [f(5, 4), f(5)], transB=1, transA=1, alpha=0.5, beta=2.0)
case("Gemm", [f(2, 4)], [f(4, 5)], alpha=0.5)
case("Einsum", [f(2, 3, 4), f(4, 5)], equation="bij,jk->bik")
case("Conv", [f(2, 4, 9, 7)], [f(6, 4, 3, 3), f(6)], pads=[1, 1, 1, 1])
case("Conv", [f(2, 4, 9, 7)], [f(6, 2, 3, 3), f(6)], group=2, strides=[2, 1], dilations=[1, 2])
case("Conv", [f(2, 4, 9, 7)], [f(6, 4, 3, 2)], pads=[0, 1, 2, 0])
case("Conv", [f(2, 4, 9, 7)], [f(6, 4, 3, 2)], auto_pad="SAME_UPPER", strides=[2, 2])
case("Conv", [f(2, 4, 9, 7)], [f(6, 4, 3, 2)], auto_pad="SAME_LOWER")
case("Conv", [f(2, 4, 9)], [f(6, 4, 3), f(6)])
case("Conv", [f(1, 2, 5, 5, 5)], [f(3, 2, 3, 3, 3)])
case("ConvTranspose", [f(2, 4, 5, 6)], [f(4, 3, 3, 3), f(3)], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
case("ConvTranspose", [f(2, 4, 5, 6)], [f(4, 3, 3, 3)], strides=[2, 2], pads=[0, 1, 1, 0])
case("ConvTranspose", [f(2, 4, 5, 6)], [f(4, 3, 3, 3)], strides=[2, 2], auto_pad="SAME_UPPER")
case("BatchNormalization", [f(2, 3, 4, 4)], [f(3), f(3), f(3), u(3)], epsilon=1e-3)
case("BatchNormalization", [f(4, 3)], [f(3), f(3), f(3), u(3)], opset=9)
case("InstanceNormalization", [f(2, 3, 4, 4)], [f(3), f(3)])
case("LayerNormalization", [f(2, 3, 4)], [f(4), f(4)])
case("LayerNormalization", [f(2, 3, 4)], [f(3, 4), f(3, 4)], axis=1)
case("LayerNormalization", [f(2, 3, 4)], [f(4)], epsilon=1e-2)
case("GroupNormalization", [f(2, 4, 3, 3)], [f(4), f(4)], opset=21, num_groups=2)
case("RMSNormalization", [f(2, 3, 4)], [f(4)], opset=23)
case("LpNormalization", [f(2, 3, 4)], axis=1, p=2)
case("MeanVarianceNormalization", [f(2, 3, 4, 4)])
case("LRN", [f(2, 5, 3, 3)], size=3)
case("MaxPool", [f(2, 3, 9, 8)], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 1, 1, 1])
case("MaxPool", [f(2, 3, 9, 8)], kernel_shape=[3, 2], strides=[2, 2], pads=[0, 0, 1, 1])
case("MaxPool", [f(2, 3, 9, 8)], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
case("MaxPool", [f(2, 3, 9)], kernel_shape=[3], dilations=[2])
case("AveragePool", [f(2, 3, 9, 8)], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 1, 1, 1])
case("AveragePool", [f(2, 3, 9, 8)], kernel_shape=[3, 2], pads=[1, 1, 1, 1], count_include_pad=1)
case("AveragePool", [f(2, 3, 9, 8)], kernel_shape=[3, 3], pads=[0, 1, 2, 1])
case("AveragePool", [f(2, 3, 9, 8)], kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2])
case("GlobalAveragePool", [f(2, 3, 4, 5)])
case("GlobalMaxPool", [f(2, 3, 4, 5)])
for op in [
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSumExp",
]:
    case(op, [f(2, 3, 4)], axes=[1, 2])
    case(op, [f(2, 3, 4)], [i(-1)], opset=18, keepdims=0)
    case(op, [f(2, 3, 4)])
case("ReduceLogSum", [u(2, 3, 4)], axes=[1])
case("ReduceSum", [f(2, 3, 4)], [i(1)])
case("ReduceSum", [f(2, 3, 4)], opset=11, axes=[-1], keepdims=0)
case("ReduceSum", [f(2, 3, 4)], noop_with_empty_axes=1)
case("ArgMax", [f(2, 5)], axis=1)
case("ArgMin", [f(2, 5)], axis=1, keepdims=0, select_last_index=1)
case("CumSum", [f(2, 5)], [np.array(1, np.int64)], exclusive=1, reverse=1)
case("Reshape", [f(2, 3, 4)], [i(0, -1)])
case("Flatten", [f(2, 3, 4)], axis=2)
case("Flatten", [f(2, 3, 4)], axis=-1)
case("Transpose", [f(2, 3, 4)], perm=[2, 0, 1])
case("Transpose", [f(2, 3, 4)])
case("Squeeze", [f(2, 1, 4, 1)], [i(1)])
case("Squeeze", [f(2, 1, 4, 1)], opset=11, axes=[-1])
case("Squeeze", [f(2, 1, 4, 1)])
case("Unsqueeze", [f(2, 4)], [i(0, -1)])
case("Unsqueeze", [f(2, 4)], opset=11, axes=[1, 3])
case("Concat", [f(2, 3), f(2, 4)], axis=1)
case("Split", [f(2, 7)], [i(3, 4)], outputs=2, axis=1)
case("Split", [f(2, 6)], outputs=3, axis=1)
case("Split", [f(2, 7)], outputs=3, opset=18, axis=1, num_outputs=3)
case("Split", [f(2, 7)], outputs=2, opset=11, axis=1, split=[2, 5])
case("Expand", [f(3, 1)], [i(2, 1, 4)])
case("Tile", [f(2, 3)], [i(2, 3)])
case("Pad", [f(2, 3)], [i(0, 1, 2, 0), s(0.5)])
case("Pad", [f(2, 3)], [i(1, 1), s(0.5), i(1)], opset=18)
case("Pad", [f(4, 5)], [i(1, 2, 2, 1)], mode="reflect")
case("Pad", [f(4, 5)], [i(1, 2, 2, 1)], mode="edge")
case("Pad", [f(2, 3)], opset=10, pads=[0, 1, 0, 1], value=2.0)
case("DepthToSpace", [f(2, 8, 3, 2)], blocksize=2)
case("DepthToSpace", [f(2, 8, 3, 2)], blocksize=2, mode="CRD")
case("SpaceToDepth", [f(2, 2, 4, 6)], blocksize=2)
case("Trilu", [f(4, 4)])
case("Trilu", [f(4, 4)], [np.array(1, np.int64)], upper=0)
case("Slice", [f(5, 6)], [i(1, 0), i(4, 6), i(0, 1), i(1, 2)])
case("Slice", [f(5, 6)], [i(-1), i(-6), i(0), i(-2)])
case("Slice", [f(5, 6)], opset=9, starts=[1], ends=[9999], axes=[1])
case("Gather", [f(5, 6)], [np.array(2, np.int64)], axis=1)
case("Gather", [f(5, 6)], [i(3, 0, -1)], axis=0)
case("Gather", [f(5, 6)], [np.array([[0, 1], [2, 3]])], axis=1)
case("Gather", [f(5, 6), np.array([[0, 1], [2, -1]])], axis=0)
case("GatherElements", [f(3, 4), np.array([[0, 1, -1, 2], [1, 1, 0, 0], [2, 2, 2, 2]])], axis=0)
case("GatherND", [f(3, 4), np.array([[0, 1], [2, 3]])])
case("OneHot", [np.array([0, 2, 1])], [np.array(4, np.int64), np.array([0.5, 2.0], np.float32)])
case("Resize", [f(1, 2, 3, 4)], [np.zeros(0, np.float32), np.array([1, 1, 2, 3], np.float32)], mode="nearest")
case(
    "Resize",
    [f(1, 2, 3, 4)],
    [np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32)],
    coordinate_transformation_mode="asymmetric",
    nearest_mode="floor",
)
case("Resize", [f(1, 2, 5, 6)], [None, None, i(1, 2, 7, 4)], coordinate_transformation_mode="align_corners")
case("Resize", [f(1, 2, 5, 6)], [None, None, i(1, 2, 8, 9)], mode="linear")
case(
    "Resize",
    [f(1, 2, 5, 6)],
    [None, None, i(1, 2, 8, 9)],
    mode="linear",
    coordinate_transformation_mode="align_corners",
)
case("Resize", [f(1, 2, 4, 4)], [np.array([1, 1, 2, 2], np.float32)], opset=10)
case("Upsample", [f(1, 2, 3, 4)], [np.array([1, 1, 2, 2], np.float32)], opset=9)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{k}-{c[0]}-{c[4]}" for k, c in enumerate(CASES)])
def test_operator_agrees_with_onnxruntime(number: int, tmp_path: Path) -> None:
    op, inputs, constants, attributes, opset, count = CASES[number]
    rest = {key: value for key, value in attributes.items() if key != "slots"}
    outputs = [f"y{k}" for k in range(count)]
    made = model([helper.make_node(op, attributes["slots"], outputs, **rest)], inputs, outputs, constants, opset=opset)
    expected = oracle(made, inputs)
    network = load(write(made, tmp_path / "one.onnx"))
    got = network.interpret([torch_of(x) for x in inputs.values()], network.weights)
    for mine, theirs in zip(got, expected, strict=True):
        assert mine.numpy().dtype == theirs.dtype
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=2e-5, atol=2e-5, equal_nan=True)


def torch_of(x: np.ndarray) -> Any:
    """A torch copy."""
    import torch

    return torch.from_numpy(np.array(x))


@pytest.mark.parametrize(
    ("op", "constants", "attributes"),
    [
        ("ConstantOfShape", {"c0": i(2, 3)}, {}),
        ("Range", {"c0": i(1)[0], "c1": i(9)[0], "c2": i(3)[0]}, {}),
        ("Shape", {}, {}),
        ("Size", {}, {}),
    ],
)
def test_shape_operators_fold(
    op: str, constants: dict[str, np.ndarray], attributes: dict[str, Any], tmp_path: Path
) -> None:
    """Operators known at load time leave no node behind: only the addition remains."""
    x = f(2, 3)
    constants = {name: np.asarray(value) for name, value in constants.items()}
    nodes = [
        helper.make_node(op, list(constants) or ["x"], ["k"], **attributes),
        helper.make_node("Cast", ["k"], ["kf"], to=1),
        helper.make_node("ReduceSum", ["kf"], ["total"], keepdims=0),
        helper.make_node("Add", ["x", "total"], ["y"]),
    ]
    made = model(nodes, {"x": x}, ["y"], constants)
    network = load(write(made, tmp_path / "shape.onnx"))
    np.testing.assert_allclose(network.run(x).numpy(), oracle(made, {"x": x})[0], rtol=1e-6)  # type: ignore[union-attr]
    assert [str(n.target) for n in network.graph.nodes if n.op == "call_function"] == ["aten.add.Tensor"]


def test_every_operator_has_a_case() -> None:
    tested = {c[0] for c in CASES} | {"ConstantOfShape", "Range", "Shape", "Size"}
    assert set(OPERATORS) - tested <= {"Swish"}  # opset 24: newer than the onnxruntime that tests run
