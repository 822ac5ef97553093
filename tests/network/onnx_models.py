"""Small ONNX models made in a test, and onnxruntime's answer to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    constants: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = 17,
    dims: Mapping[str, Sequence[Any]] | None = None,
) -> Any:
    """A ModelProto; ``inputs`` gives example arrays, ``dims`` overrides their declared shapes."""
    declared = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(x.dtype), (dims or {}).get(name, list(x.shape))
        )
        for name, x in inputs.items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "test",
        declared,
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 10
    return made


def write(made: Any, path: Path) -> Path:
    """Save a model and give the path back."""
    path.write_bytes(made.SerializeToString())
    return path


def perceptron(rng: np.random.Generator, *, sizes: Sequence[int] = (4, 6, 3), batch: Any = "N") -> Any:
    """Gemm, Relu, Gemm with initialisers W1, b1, W2, b2."""
    constants: dict[str, np.ndarray] = {}
    nodes, value = [], "x"
    for layer, (n, m) in enumerate(pairwise(sizes), 1):
        constants[f"W{layer}"] = rng.standard_normal((m, n)).astype(np.float32)
        constants[f"b{layer}"] = rng.standard_normal(m).astype(np.float32)
        nodes.append(helper.make_node("Gemm", [value, f"W{layer}", f"b{layer}"], [f"y{layer}"], transB=1))
        value = f"y{layer}"
        if layer < len(sizes) - 1:
            nodes.append(helper.make_node("Relu", [value], [f"h{layer}"]))
            value = f"h{layer}"
    example = {"x": np.zeros((1, sizes[0]), np.float32)}
    return model(nodes, example, [value], constants, dims={"x": [batch, sizes[0]]})


def oracle(made: Any, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime computes, one thread, without graph optimisations."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = made if isinstance(made, (str, bytes)) else made.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return [np.asarray(y) for y in session.run(None, dict(inputs))]


__all__ = ["TensorProto", "helper", "model", "numpy_helper", "onnx", "oracle", "perceptron", "write"]
