"""The public page: what `fiberscope` offers is what it says, and every name resolves."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import fiberscope

VERBS = ["canonicalize", "compare", "compress", "fingerprint", "inspect", "load", "randomize", "symmetries", "verify"]


def test_public_names_are_these():
    assert sorted(fiberscope.__all__) == sorted(
        [*VERBS, "Network", "Verdict", "affine", "errors", "linear", "shallow", "testing"]
    )
    assert set(fiberscope.__all__) <= set(dir(fiberscope))


@pytest.mark.parametrize("name", fiberscope.__all__)
def test_every_name_resolves_and_is_documented(name: str):
    assert inspect.getdoc(getattr(fiberscope, name)), f"fiberscope.{name} has no docstring"


def test_type_checkers_see_the_same_names(root: Path):
    """The imports under TYPE_CHECKING are exactly the public names: an editor and the interpreter agree."""
    tree = ast.parse((root / "src" / "fiberscope" / "__init__.py").read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {alias.asname or alias.name for n in ast.walk(block) if isinstance(n, ast.ImportFrom) for alias in n.names}
    assert seen == set(fiberscope.__all__)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match="canonicalize"):
        _ = fiberscope.canonicalise
