"""Shared fixtures: the data folder, real models that ship inside packages, and the example networks."""

from __future__ import annotations

import os

# One thread a process: the suite runs in parallel, and sums come out in the same order everywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The published networks: FIBERSCOPE_DATA, else `../shared/data` beside the checkout; skips without it."""
    folder = Path(os.environ.get("FIBERSCOPE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data folder at {folder}: set FIBERSCOPE_DATA")
    return folder


@pytest.fixture(scope="session")
def acasxu(data: Path) -> Path:
    """The ACAS Xu networks inside the data folder; skips without them."""
    folder = data / "acasxu"
    if not folder.is_dir():
        pytest.skip(f"no ACAS Xu networks at {folder}")
    return folder


SUBJECTS = {
    "rapidocr_cls": ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "magika": ("magika", "models/**/model.onnx"),
    "basic_pitch": ("basic_pitch", "**/nmp.onnx"),
}


@pytest.fixture(scope="session")
def subject() -> Callable[[str], Path]:
    """`subject("magika")`: a real model that ships inside an installed package; skips where that is not installed."""

    def path(name: str) -> Path:
        package, pattern = SUBJECTS[name]
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            pytest.skip(f"the package {package} is not installed; `pip install --no-deps` it to run this test")
        found = sorted(Path(spec.submodule_search_locations[0]).glob(pattern))
        if not found:
            pytest.skip(f"{package} holds no {pattern}")
        return found[0]

    return path


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the shipped example networks."""
    return ROOT / "src" / "fiberscope" / "models"
