"""The shipped networks are the files that models.json describes, and as good as it says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

NAMES = ["digits_relu.onnx", "digits_tanh.onnx", "digits_conv.onnx"]


@pytest.fixture
def table(models: Path) -> dict:
    return json.loads((models / "models.json").read_text())


def test_every_model_is_listed(models: Path, table: dict):
    assert sorted(path.name for path in models.glob("*.onnx")) == sorted(table) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_those_described(models: Path, table: dict, name: str):
    raw = (models / name).read_bytes()
    assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (table[name]["sha256"], table[name]["bytes"])


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_is_the_one_stated(models: Path, table: dict, name: str):
    runtime = pytest.importorskip("onnxruntime")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    row = table[name]
    x, y = load_digits(return_X_y=True)
    split = {key: row["split"][key] for key in ("test_size", "random_state")}
    _, x_test, _, y_test = train_test_split(x, y, stratify=y, **split)
    session = runtime.InferenceSession(str(models / name), providers=["CPUExecutionProvider"])
    pixels = (np.asarray(x_test) / 16).astype(np.float32).reshape(-1, *row["input"])
    accuracy = float((session.run(None, {"pixels": pixels})[0].argmax(1) == y_test).mean())
    assert accuracy == pytest.approx(row["test_accuracy"], abs=5e-3)
    assert accuracy >= (0.98 if "conv" in name else 0.96)


def test_the_linear_classifier_and_its_saddle(models: Path):
    """The files are those described; the trained network is a global minimum, the other a spurious saddle."""
    from fiberscope.linear import critical, decompose, load_factors
    from fiberscope.linear.factors_file import load_target

    facts = json.loads((models / "digits_linear.json").read_text())
    for name, digest in facts["sha256"].items():
        assert hashlib.sha256((models / name).read_bytes()).hexdigest() == digest
    target = load_target(models / "digits_linear_target.npz")
    trained, saddle = (load_factors(models / f"digits_linear{end}.npz") for end in ("", "_saddle"))
    found = critical(trained, target)
    assert (found.kind, found.saddle, found.rank) == ("pure", "none", 6)
    found = critical(saddle, target)
    assert (found.kind, found.saddle, found.rank) == ("spurious", "non-strict", facts["saddle"]["rank"])
    assert decompose(saddle, tol=1e-9).barcode.full == 3
    held, best = (np.linalg.svd(m)[1][:3] for m in (saddle[2] @ saddle[1] @ saddle[0], target))
    np.testing.assert_allclose(held, best, rtol=1e-9)  # it holds the three largest singular triples
