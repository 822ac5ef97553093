"""House rules that a reader relies on: floors, the checker's independence, no machine paths, no long rooms."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

# A package may import from its own floor's packages it is listed with, and from any lower floor.
FLOORS = [
    {"errors", "lazy", "numerics", "activations"},
    {"network"},
    {"symmetry"},
    {"linear", "shallow", "affine"},
    {"equivalence", "matching", "learning"},
    {"scene"},
    {"report", "explore", "cli", "testing", "__main__"},
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
LONGEST = 400


def modules(root: Path, package: str) -> list[Path]:
    return sorted((root / "src" / package).rglob("*.py"))


def imports(path: Path) -> list[str]:
    """Absolute names of everything a source file imports, wherever in the file; `from a import b` gives a.b."""
    parts = path.with_suffix("").parts
    here = list(parts[parts.index("src") + 1 :])[:-1]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{stem}.{alias.name}" for alias in node.names]
    return found


def up_imports(root: Path) -> list[str]:
    wrong = []
    for path in modules(root, "fiberscope"):
        inside = path.relative_to(root / "src" / "fiberscope").with_suffix("").parts
        if inside == ("__init__",):
            continue  # the public page names everything, lazily
        mine = FLOOR.get(inside[0])
        assert mine is not None, f"{path.name}: {inside[0]} stands on no floor; add it to FLOORS"
        for name in imports(path):
            top = name.split(".")
            if top[0] == "fiberscope" and len(top) > 1:
                theirs = FLOOR.get(top[1], -1)
                if theirs > mine or (theirs == mine and top[1] != inside[0] and mine > 0 and mine < len(FLOORS) - 1):
                    wrong.append(f"{'/'.join(inside)} imports {name}")
    return wrong


def test_imports_point_down(root: Path):
    assert up_imports(root) == []


def test_the_floor_test_can_fail(tmp_path: Path):
    folder = tmp_path / "src" / "fiberscope" / "network"
    folder.mkdir(parents=True)
    (folder / "bad.py").write_text("def f():\n    from ..equivalence.compare import compare\n")
    assert up_imports(tmp_path) == ["network/bad imports fiberscope.equivalence.compare.compare"]


def test_the_checker_stands_alone(root: Path):
    """fiberscope_verify: numpy, python-flint and the standard library; never Fiberscope or torch."""
    allowed = {"numpy", "flint", "fiberscope_verify", *sys.stdlib_module_names} - {"pickle", "marshal", "ctypes"}
    for path in modules(root, "fiberscope_verify"):
        strangers = {name.split(".")[0] for name in imports(path)} - allowed
        assert not strangers, f"{path.name} imports {strangers}"


def committed(root: Path) -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [root / name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def test_no_committed_file_names_a_machine_path(root: Path):
    tops = "|".join(["work", "root", "opt/fs", "home/[a-z]+", "tmp/bash"])
    machine = re.compile(rf"(?<![\w.~*-])/(?:{tops})/".encode())
    named = [
        str(path.relative_to(root))
        for path in committed(root)
        if path.suffix not in {".onnx", ".png"} and machine.search(path.read_bytes())
    ]
    assert named == []


def test_no_long_rooms(root: Path):
    """A file holds one idea: none over 400 lines, the median under 150."""
    lengths = {
        str(path.relative_to(root)): len(path.read_text().splitlines())
        for package in ("fiberscope", "fiberscope_verify")
        for path in modules(root, package)
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}
    ordered = sorted(n for n in lengths.values() if n > 5)
    assert ordered[len(ordered) // 2] < 150
