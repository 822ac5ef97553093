"""`fiberscope linear count` and `strata`: the contract, the guard, the stream, and ways to write the widths."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import product as combinations_of
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.cli.conftest import Run
from tests.cli.linear_files import EXAMPLE

from fiberscope.cli.linear.widths import joined, widths
from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode

STRATA = {"widths", "rank", "count", "strata", "covers", "fiber_dimension", "least", "components", "real_components"}
STRATUM = {"id", "barcode", "ranks", "dimension", "component", "singular", "real_components"}


@pytest.mark.parametrize(
    "flag",
    [
        ["--widths", 4, 4, 4],
        ["--widths", "4,4,4"],
        ["--widths=4,4,4"],
        ["--widths", "4,4", 4],
        ["--widths=4", 4, 4],
        ["--widths", "4, 4, 4"],
    ],
)
@pytest.mark.parametrize("rank_first", [False, True])
def test_widths_in_every_spelling(flag: list[object], rank_first: bool, run: Run):
    rank = ["--rank", 0]
    done = run("linear", "count", *(rank + flag if rank_first else flag + rank), "--json")
    assert done.status == 0
    assert done.json == {"widths": [4, 4, 4], "rank": 0, "count": 15}


def test_joining_leaves_other_arguments_alone():
    assert joined(["--rank", "1", "--json"]) == ["--rank", "1", "--json"]
    assert joined(["--widths"]) == ["--widths"]
    assert joined(["--widths", "--json"]) == ["--widths", "--json"]
    assert joined(["--widths", "2", "-1", "--plot", "f.svg"]) == ["--widths", "2,-1", "--plot", "f.svg"]
    assert widths("2,3") == [2, 3]
    with pytest.raises(InputError, match="'x'"):
        widths("2,x")


def test_count_agrees_with_the_strata(run: Run):
    for sizes in combinations_of((1, 2, 3), repeat=3):
        for rank in range(min(sizes) + 1):
            counted = run("linear", "count", "--widths", *sizes, "--rank", rank, "--json").json["count"]
            result = run("linear", "strata", "--widths", *sizes, "--rank", rank, "--json").json
            assert counted == result["count"] == len(result["strata"])


def test_count_in_words_and_large(run: Run):
    assert run("linear", "count", "--widths", *[4] * 9, "--rank", 0).out == "23,273,950 strata\n"
    assert run("linear", "count", "--widths", 3, 2, 3, "--rank", 2).out == "1 stratum\n"


def test_the_contract_of_strata(run: Run):
    result = run("linear", "strata", "--widths", 2, 4, 3, 2, "--rank", 1, "--json").json
    assert set(result) >= STRATA
    assert all(set(stratum) >= STRATUM for stratum in result["strata"])
    assert (result["widths"], result["rank"], result["count"]) == ([2, 4, 3, 2], 1, 18)
    assert (len(result["covers"]), result["components"], result["fiber_dimension"]) == (31, 1, 22)
    assert sum(s["singular"] for s in result["strata"]) == 8
    assert result["real_components"] == 1
    by_id = {s["id"]: s for s in result["strata"]}
    assert len(by_id) == 18
    assert by_id[result["least"]]["dimension"] == 12 == min(s["dimension"] for s in result["strata"])
    for stratum in result["strata"]:
        barcode = Barcode.from_bars(3, {(i, k): m for i, k, m in stratum["barcode"]})
        assert barcode.widths == (2, 4, 3, 2)
        assert {(k, i): r for k, i, r in stratum["ranks"]} == barcode.ranks
    covered = {low for low, _ in result["covers"]}
    assert {s["id"] for s in result["strata"] if s["component"]} == set(by_id) - covered
    for low, high in result["covers"]:
        assert by_id[low]["dimension"] < by_id[high]["dimension"]
        lower, upper = ({(k, i): r for k, i, r in by_id[n]["ranks"]} for n in (low, high))
        assert all(lower[key] <= upper[key] for key in lower)


def test_covers_are_the_transitive_reduction_of_the_order_of_ranks(run: Run):
    result = run("linear", "strata", "--widths", 2, 2, 2, 2, "--rank", 0, "--json").json
    table = {s["id"]: [r for *_, r in s["ranks"]] for s in result["strata"]}
    below = {
        (a, b) for a in table for b in table if a != b and all(x <= y for x, y in zip(table[a], table[b], strict=True))
    }
    reduced = {(a, b) for a, b in below if not any((a, c) in below and (c, b) in below for c in table)}
    assert {(a, b) for a, b in result["covers"]} == reduced


def test_real_components_of_a_fiber_in_pieces(run: Run):
    result = run("linear", "strata", "--widths", 3, 2, 3, "--rank", 2, "--json").json
    assert (result["real_components"], result["count"], result["covers"]) == (2, 1, [])


def test_only_components(run: Run):
    result = run("linear", "strata", "--widths", 784, 128, 64, 10, "--rank", 0, "--components", "--json").json
    assert set(result) >= STRATA
    assert (result["components"], len(result["strata"]), result["covers"]) == (66, 66, [])
    assert result["fiber_dimension"] == 108_544
    assert all(s["component"] for s in result["strata"])
    everything = run("linear", "strata", "--widths", 3, 3, 3, 3, "--json").json
    maximal = run("linear", "strata", "--widths", 3, 3, 3, 3, "--components", "--json").json
    key = lambda s: (s["barcode"], s["dimension"], s["singular"], s["real_components"])  # noqa: E731
    assert sorted(map(key, maximal["strata"])) == sorted(key(s) for s in everything["strata"] if s["component"])
    assert maximal["fiber_dimension"] == everything["fiber_dimension"]


def test_the_list_is_every_barcode_once(run: Run):
    listed = run("linear", "strata", "--widths", 3, 3, 3, 3, "--rank", 1, "--list", "--json").json
    full = run("linear", "strata", "--widths", 3, 3, 3, 3, "--rank", 1, "--json").json
    assert all(set(stratum) == {"id", "barcode"} for stratum in listed["strata"])
    assert listed["count"] == len(listed["strata"])
    assert "covers" not in listed
    assert [(s["id"], s["barcode"]) for s in listed["strata"]] == [(s["id"], s["barcode"]) for s in full["strata"]]
    lines = run("linear", "strata", "--widths", 3, 3, 3, 3, "--rank", 1, "--list").out.splitlines()
    assert len(lines) == len(listed["strata"])
    assert lines[0].startswith("0  [0,0]x2")


def test_the_list_knows_no_limit(run: Run):
    """A list longer than one batch, and longer than --max would let pass."""
    done = run("linear", "strata", "--widths", 2, 2, 2, 2, 2, 2, 2, 2, "--list", "--json", "--max", 10)
    assert done.status == 0
    listed = done.json
    assert len(listed["strata"]) == listed["count"] == 5747
    assert len({json.dumps(s["barcode"]) for s in listed["strata"]}) == 5747


@pytest.mark.slow
def test_the_promised_sizes(run: Run):
    """226,014 strata listed in under 10 s of processor time; all 3,526 strata and covers of widths 3, 3, 3, 3, 3, 3."""
    start = time.process_time()
    done = run("linear", "strata", "--widths", *[4] * 7, "--rank", 0, "--list", "--json")
    assert time.process_time() - start < 10
    listed = done.json
    assert listed["count"] == len(listed["strata"]) == 226_014
    assert len({json.dumps(s["barcode"]) for s in listed["strata"]}) == 226_014
    result = run("linear", "strata", "--widths", *[3] * 6, "--rank", 0, "--json").json
    assert result["count"] == len(result["strata"]) == 3526
    by_id = {s["id"]: s for s in result["strata"]}
    ups: dict[int, int] = {}
    for low, high in result["covers"]:
        assert by_id[low]["dimension"] < by_id[high]["dimension"]
        ups[low] = ups.get(low, 0) + 1
    assert {s["id"] for s in result["strata"] if s["component"]} == set(by_id) - set(ups)
    assert result["components"] == 35  # C(L + n - 1, n) with L = 5, n = 3


def test_nothing_heavy_before_a_command_runs():
    heavy = ("numpy", "torch", "scipy", "flint", "networkx", "matplotlib")
    code = f"import sys, fiberscope.cli.linear.app; print(*(m for m in sys.modules if m in {heavy!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_closed_pipe_is_no_failure():
    code = f"{sys.executable} -m fiberscope linear strata --widths 3 3 3 3 3 3 3 --list | head -1"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("0  [0,0]x3")
    assert done.stderr == ""


def test_the_guard_gives_the_count(run: Run):
    done = run("linear", "strata", "--widths", *[4] * 9, "--json")
    assert (done.status, done.out) == (2, "")
    assert "23273950" in done.err
    done = run("linear", "strata", "--widths", 2, 2, 2, "--max", 5)
    assert (done.status, done.out) == (2, "")
    assert "6 strata" in done.err
    assert run("linear", "strata", "--widths", 2, 2, 2, "--max", 6).status == 0
    assert run("linear", "strata", "--widths", 3, 3, 3, 3, "--components", "--max", 9).status == 2


def test_strata_in_words(run: Run):
    text = run("linear", "strata", "--widths", 2, 3, 2, "--rank", 1).out
    assert "4 strata, 1 component" in text
    assert "[0,1], [0,2], [1,2]" in text
    assert "singular" in text
    assert "and 69 more" in run("linear", "strata", "--widths", 2, 2, 2, 2, 2).out


TROUBLE: list[tuple[list[object], str]] = [
    (["count"], "--widths"),
    (["count", "--widths"], "--widths"),
    (["count", "--widths", 4], "at least two"),
    (["count", "--widths", 4, "x", 4], "'x'"),
    (["count", "--widths", 4, 0, 4], "0 is no width"),
    (["count", "--widths", 4, -1, 4], "-1 is no width"),
    (["count", "--widths", 4, 2.5, 4], "'2.5'"),
    (["count", "--widths", 4, 4, "--rank", 5], "rank 5"),
    (["count", "--widths", 4, 4, "--rank", -1], "rank"),
    (["strata", "--widths", 3, 2, 3, "--rank", 3], "rank 3"),
    (["strata", "--widths", 2, 2, "--plot", "picture.doc"], ".svg"),
    (["strata", "--widths", 2, 2, "--plot", "missing/picture.svg"], "missing"),
    (["strata", "--widths", 2, 2, "--list", "--plot", "a.svg"], "--list"),
    (["strata", "--widths", 2, 2, "--list", "--components"], "--list"),
    (["strata", "--widths", 2, 2, "--max", 0], "max"),
    (["nonsense"], "nonsense"),
]


@pytest.mark.parametrize(("arguments", "said"), TROUBLE)
@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_one_clear_line(arguments: list[object], said: str, as_json: bool, run: Run):
    done = run("linear", *arguments, *(["--json"] if as_json else []))
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert "bug" not in done.err


@pytest.mark.parametrize("suffix", [".svg", ".html", ".pdf", ".png"])
def test_plots(suffix: str, tmp_path: Path, run: Run):
    path = tmp_path / f"strata{suffix}"
    done = run("linear", "strata", "--widths", 2, 4, 3, 2, "--rank", 1, "--plot", path, "--json")
    assert done.status == 0
    assert done.json["count"] == 18
    data = path.read_bytes()
    assert data.startswith({".svg": b"<svg", ".html": b"<!doctype html", ".pdf": b"%PDF", ".png": b"\x89PNG"}[suffix])
    if suffix == ".svg":
        nodes = [e for e in ElementTree.fromstring(data).iter() if e.attrib.get("class") == "node"]
        assert len(nodes) == 18
        assert len([e for e in ElementTree.fromstring(data).iter() if "data-ends" in e.attrib]) == 31
    if suffix == ".html":
        assert b"<script" not in data
        assert data.count(b'class="node"') == 18


def test_too_many_to_draw(tmp_path: Path, run: Run):
    path = tmp_path / "strata.svg"
    done = run("linear", "strata", "--widths", 3, 3, 3, 3, 3, 3, "--plot", path)
    assert (done.status, done.out) == (2, "")
    assert "3526" in done.err.replace(",", "")
    assert not path.exists()


def test_the_example_of_the_pictures_is_a_stratum(run: Run):
    listed = run("linear", "strata", "--widths", *EXAMPLE.widths, "--rank", 2, "--list", "--json").json["strata"]
    assert EXAMPLE.to_json() in [s["barcode"] for s in listed]
