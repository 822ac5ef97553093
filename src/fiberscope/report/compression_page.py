"""The page of a compression: what became of the units, how that was shown, where it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from fiberscope.report.picture_page import Section, Table, picture_page
from fiberscope.scene.compression import compression_drawing, fates

METHODS: dict[str, str] = {
    "linear bounds": "bounds by linear functions on the whole domain, rounded outward",
    "splitting": "the same bounds on every part of a bisection of the domain",
    "programs": "a linear program per unit, its multipliers checked with every rounding counted",
    "branching": "the same on every part of a tree over inputs and signs of the units below",
    "dead": "nobody reads it, or it is nowhere positive: by its signs, or by bounds on the domain",
    "unread": "no later unit reads it",
    "sign rule": "it reads what is never negative, with weights and a bias that are never positive",
    "constant": "its weights are zero, so its value goes into the next biases",
    "duplicate": "its weights and bias are exactly a multiple of another unit's",
    "opposite": "it lies on the boundary of another unit with the opposite sign: what is left of it is linear",
    "cancelled": "units on one boundary whose bends cancel: what is left of them is linear",
    "minimal layer": "the layer was replaced by the least number of units with the same function",
    "always active": "it reads what is never negative, with weights and a bias that are never negative either: linear",
    "linear": "never negative for any input, and a combination of other such units",
    "folded": "linear on the domain, and carried by other units",
    "affine layers merged": "two affine maps without an activation in between became one",
    "batch norm": "folded into the layer before it",
}
"""What each method of the report means; a method that is not listed stands by its name."""

LISTED = 200  # inputs of a box that are written out


def compression_page(source: Any, result: Mapping[str, Any], *, written: Any = None, certificate: Any = None) -> str:
    """The HTML text; ``result`` is what `fiberscope compress --json` prints.

    >>> layer = {"before": 9, "after": 5, "dead": 4, "constant": 0, "duplicate": 0, "folded": 0, "open": 0}
    >>> result = {"units_before": 9, "units_after": 5, "parameters_before": 90, "parameters_after": 50, "seed": 0,
    ...     "layers": [layer], "open_units": 0, "error_bound": 0.0, "output_scale": 1.0, "domain": "all",
    ...     "methods": {"unread": 4}, "seconds": 0.1, "proved": True, "no_certificate": None}
    >>> "9 → 5" in compression_page("model.onnx", result)
    True
    """
    where = "for every input" if result["domain"] == "all" else "on the domain asked"
    same = "Not proved to be the same function" if result["error_bound"] is None else f"The same function {where}"
    cards = [
        (f"{result['units_before']:,} → {result['units_after']:,}", "hidden units"),
        (f"{result['parameters_before']:,} →\N{NO-BREAK SPACE}{result['parameters_after']:,}", "parameters"),
        _error(result),
        (f"{result['open_units']:,}", "units left open"),
        (f"{result['seconds']:.3g} s", "for the search and its proofs"),
    ]
    sections = [
        Section("What became of the units", _layers_in_words(result), compression_drawing(result["layers"])),
        Section("Layer by layer", table=_layers(result)),
        Section("How it was shown", _methods_in_words(result), table=_methods(result)),
        Section("Where it holds", _domain_in_words(result), table=_domain(result)),
        Section("Files", _files_in_words(result, certificate), table=_files(source, written, certificate, result)),
    ]
    return picture_page(f"{PurePath(str(source)).name}, compressed", f"{same}.", cards, sections)


def _error(result: Mapping[str, Any]) -> tuple[str, str]:
    if result["error_bound"] is None:
        seen = result.get("difference")
        return ("none", "error bound" if seen is None else f"error bound; outputs moved by {seen:.2g} where compared")
    if result["error_bound"] == 0:
        return "0", "error: the weights are exact"
    return f"≤ {result['error_bound']:.2g}", f"error, proved; outputs reach {result['output_scale']:.3g}"


def _layers_in_words(result: Mapping[str, Any]) -> tuple[str, ...]:
    notes = tuple(result.get("notes", ()))
    if result["units_after"] == result["units_before"]:
        return notes or ("Nothing could be proved redundant: every unit stays.",)
    return (
        "The upper bar of a layer shows every unit by what became of it; the lower bar shows the units of the smaller "
        "network. They are the units kept, and those that carry what was folded.",
        *notes,
    )


def _layers(result: Mapping[str, Any]) -> Table:
    names = ("kept", "open", "folded", "duplicate", "constant", "dead")
    rows = []
    for number, layer in enumerate(result["layers"], 1):
        found = fates(layer)
        rows.append((str(number), f"{layer['before']:,}", f"{layer['after']:,}", *(f"{found[n]:,}" for n in names)))
    return Table(("layer", "before", "after", *names), tuple(rows), frozenset(range(9)))


def _methods_in_words(result: Mapping[str, Any]) -> tuple[str, ...]:
    if not result["methods"]:
        return ()
    return (
        "Units settled by each method. A unit that is proved linear counts here also when it stays to carry others.",
    )


def _methods(result: Mapping[str, Any]) -> Table | None:
    rows = tuple((name, f"{n:,}", METHODS.get(name.split(",")[0], "")) for name, n in result["methods"].items())
    return Table(("method", "count", "what it shows"), rows, frozenset({1})) if rows else None


def _domain_in_words(result: Mapping[str, Any]) -> tuple[str, ...]:
    domain = result["domain"]
    if domain == "all":
        return ("For every input, in real arithmetic.",)
    cut = constraints(domain)
    if len(domain["lo"]) > LISTED:
        lo, hi = min(domain["lo"]), max(domain["hi"])
        words = f"For all inputs of a box with {len(domain['lo']):,} sides, within [{lo:.6g}, {hi:.6g}]"
    else:
        words = "For all inputs of this box" + ("" if cut else ", in real arithmetic")
    if not cut:
        return (f"{words}.",)
    shown = [*cut[:LISTED], *(["and so on"] if len(cut) > LISTED else [])]
    return (f"{words} that meet {len(cut):,} linear constraints, in real arithmetic:", *shown)


def constraints(domain: Mapping[str, Any]) -> list[str]:
    """The linear constraints of a polytope as texts; a box has none.

    >>> constraints({"lo": [0, 0], "hi": [1, 1], "G": [[1.0, -2.0]], "h": [0.5]})
    ['x0 - 2 x1 <= 0.5']
    """
    out = []
    for row, limit in zip(domain.get("G", []), domain.get("h", []), strict=True):
        terms = [(float(g), i) for i, g in enumerate(row) if g]
        words = [f"{'-' if g < 0 else '+'} {'' if abs(g) == 1 else f'{short(abs(g))} '}x{i}" for g, i in terms[:LISTED]]
        out.append(f"{' '.join(words).removeprefix('+ ') or '0'} <= {short(float(limit))}")
    return out


def short(number: float) -> str:
    """The shortest text that reads back as this number.

    >>> short(2.0), short(0.1)
    ('2', '0.1')
    """
    return repr(number).removesuffix(".0")


def _domain(result: Mapping[str, Any]) -> Table | None:
    domain = result["domain"]
    if domain == "all" or len(domain["lo"]) > LISTED:
        return None
    ends = [(float(lo), float(hi)) for lo, hi in zip(domain["lo"], domain["hi"], strict=True)]
    starts = [i for i, pair in enumerate(ends) if i == 0 or ends[i - 1] != pair]  # neighbours alike share a row
    stops = [*(i - 1 for i in starts[1:]), len(ends) - 1]
    rows = tuple(
        (str(i) if i == j else f"{i} to {j}", short(ends[i][0]), short(ends[i][1]))
        for i, j in zip(starts, stops, strict=True)
    )
    return Table(("input", "from", "to"), rows, frozenset({0, 1, 2}))


def _files_in_words(result: Mapping[str, Any], certificate: Any) -> tuple[str, ...]:
    if certificate is not None:
        return ("The certificate is checked by code that shares nothing with the search.",)
    reason = result.get("no_certificate")
    return (f"There is no certificate: {reason}.",) if reason else ()


def _files(source: Any, written: Any, certificate: Any, result: Mapping[str, Any]) -> Table:
    rows = [("original", str(source))]
    if written is not None:
        rows.append(("written", str(written)))
    if certificate is not None:
        rows += [("certificate", str(certificate)), ("check it", f"fiberscope verify {certificate} {source} {written}")]
    rows.append(("seed", str(result["seed"])))
    return Table(("what", "where"), tuple(rows))
