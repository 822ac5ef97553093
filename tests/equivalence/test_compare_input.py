"""Bad input to compare(): one clear InputError each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fiberscope.equivalence.compare import compare, verify
from fiberscope.errors import CertificateError, InputError
from fiberscope.network import load
from fiberscope.testing import assert_same_function

from .planted import member, random_layers, save, shift


@pytest.fixture
def pair(tmp_path: Path):
    layers = random_layers(np.random.default_rng(0), [3, 4, 2])
    return load(save(tmp_path / "a.npz", layers, "relu")), load(save(tmp_path / "b.npz", layers, "tanh"))


@pytest.mark.parametrize(
    "box",
    [
        (1.0, -1.0),
        ([0, 0], [1, 1]),
        ([0, 0, 0], [1, 1, float("nan")]),
        (0.0, float("inf")),
        ([0, 0, 0], [1, -1, 1]),
        3.0,
        ("a", "b"),
        ([0, 0, 0],),
    ],
)
def test_bad_boxes(pair, box):
    with pytest.raises(InputError, match="box"):
        compare(*pair, box=box)


@pytest.mark.parametrize(
    "options",
    [{"tol": -1.0}, {"tol": float("nan")}, {"ulp": -1}, {"seed": -2}, {"budget_seconds": 0}, {"tol": "much"}],
)
def test_bad_options(pair, options):
    with pytest.raises(InputError, match=next(iter(options))):
        compare(*pair, **options)


def test_sizes_must_fit(pair, tmp_path: Path):
    wide = load(save(tmp_path / "w.npz", random_layers(np.random.default_rng(0), [4, 4, 2]), "relu"))
    long = load(save(tmp_path / "l.npz", random_layers(np.random.default_rng(0), [3, 4, 3]), "relu"))
    with pytest.raises(InputError, match="inputs"):
        compare(pair[0], wide)
    with pytest.raises(InputError, match="outputs"):
        compare(pair[0], long)
    with pytest.raises(InputError, match="Network"):
        compare(pair[0], 3)  # type: ignore[arg-type]


def test_no_certificate(pair):
    with pytest.raises(CertificateError):
        verify(None, *pair)


def test_a_certificate_that_cannot_be_written(pair, tmp_path: Path):
    with pytest.raises(CertificateError, match="write"):
        compare(pair[0], pair[0], certificate=tmp_path / "no" / "folder" / "c.zip")


def test_boxes_of_numbers_and_points(pair):
    a, b = pair
    point = compare(a, b, box=([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]))
    assert point.answer == "different" and point.witness is not None
    assert point.witness.input == (0.1, 0.2, 0.3)
    assert point.to_json()["domain"] == {"lo": [0.1, 0.2, 0.3], "hi": [0.1, 0.2, 0.3]}


def test_assert_same_function(tmp_path: Path):
    rng = np.random.default_rng(1)
    layers = random_layers(rng, [3, 4, 2])
    a = save(tmp_path / "a.npz", layers, "relu")
    b = save(tmp_path / "b.npz", member(rng, layers, "relu", "real"), "relu")
    c = save(tmp_path / "c.npz", shift(layers, 0, (0, 0), 0.1), "relu")
    assert assert_same_function(a, b).strength == "rounding"
    with pytest.raises(AssertionError, match=r"different[\s\S]*input \["):
        assert_same_function(a, c)
