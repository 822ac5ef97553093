"""The certificate file: a zip of `certificate.json` and `arrays/<name>.npy`, checked key by key."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass

import numpy as np

from .archive import open_zip, parse_npy, read_member
from .read import read_bytes
from .report import Reject, need

MAX_BYTES = 512 << 20
MAX_STEPS = 200_000
KEYS = {"format", "version", "claim", "strength", "method", "domain", "models", "max_ulp", "error_bound", "steps"}


@dataclass
class Certificate:
    """The parsed claim; `array(name)` marks an array as used, since unused arrays are refused."""

    claim: str
    strength: str | None
    method: str
    lo: np.ndarray | None
    hi: np.ndarray | None
    rows: np.ndarray | None
    limits: np.ndarray | None
    models: list[dict]
    max_ulp: int | None
    error_bound: float | None
    steps: list[dict]
    arrays: dict[str, np.ndarray]
    used: set[str]

    def array(self, name: object, kind: str) -> np.ndarray:
        """A one-dimensional array of kind "i" (as int64) or "f" (finite float64)."""
        if not isinstance(name, str) or name not in self.arrays:
            raise Reject(f"the certificate has no array {str(name)[:80]!r}")
        array = self.arrays[name]
        self.used.add(name)
        if kind == "i":
            need(array.dtype.kind == "i" and array.ndim == 1, f"array {name!r} must be a list of integers")
            return array.astype(np.int64)
        need(array.dtype == np.float64 and array.ndim == 1, f"array {name!r} must be a list of float64")
        need(np.all(np.isfinite(array)), f"array {name!r} holds numbers that are not finite")
        return array

    def box(self, n: int) -> tuple[np.ndarray, np.ndarray] | None:
        """The domain as (lo, hi) for n inputs; None means all inputs."""
        need(self.rows is None, "this method does not know domains with linear constraints")
        if self.lo is None or self.hi is None:
            return None
        need(len(self.lo) == n, f"the domain has {len(self.lo)} coordinates, the models have {n}")
        return self.lo, self.hi

    def polytope(self, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A bounded domain (lo, hi, G, h): lo <= x <= hi and G x <= h; a box has no rows G."""
        if self.lo is None or self.hi is None:
            raise Reject("this method needs a box or a polytope")
        need(len(self.lo) == n, f"the domain has {len(self.lo)} coordinates, the models have {n}")
        if self.rows is None or self.limits is None:
            return self.lo, self.hi, np.zeros((0, n)), np.zeros(0)
        return self.lo, self.hi, self.rows, self.limits


def fields(step: object, name: str, *keys: str) -> list:
    """The values of a step that must hold exactly `keys`."""
    if not isinstance(step, dict) or step.get("step") != name or set(step) != {"step", *keys}:
        raise Reject(f"the step {name!r} must hold exactly {', '.join(keys) or 'nothing'}")
    return [step[k] for k in keys]


def whole(value: object, low: int, high: int, what: str) -> int:
    """An integer of JSON (not a boolean) with low <= value < high."""
    if type(value) is not int or not low <= value < high:
        raise Reject(f"{what} must be a whole number from {low} to {high - 1}")
    return value


def finite(value: object, what: str) -> float:
    """A finite number of JSON."""
    if type(value) not in (int, float):
        raise Reject(f"{what} must be a number")
    assert isinstance(value, int | float)
    need(abs(value) < 1e300 and math.isfinite(value), f"{what} must be finite")
    return float(value)


def unique(pairs: list[tuple[str, object]]) -> dict:
    """A JSON object; a key given twice is refused."""
    need(len({k for k, _ in pairs}) == len(pairs), "a key is given twice")
    return dict(pairs)


def not_json(text: str) -> float:
    raise Reject(f"{text} is not allowed in a certificate")


def numbers(values: object, count: int | None) -> np.ndarray:
    """A list of finite numbers, as many as asked."""
    if not isinstance(values, list) or count not in (None, len(values)):
        raise Reject("a part of the domain is no list, or not of the right length")
    return np.array([finite(x, "a number of the domain") for x in values], dtype=np.float64)


def read_domain(domain: object) -> tuple:
    """(lo, hi, G, h): all None for "all"; G and h None for a box."""
    if domain == "all":
        return None, None, None, None
    kinds = ({"lo", "hi"}, {"lo", "hi", "G", "h"})
    if not isinstance(domain, dict) or set(domain) not in kinds:
        raise Reject('the domain is "all", {lo, hi} or {lo, hi, G, h}')
    lo, hi = numbers(domain["lo"], None), numbers(domain["hi"], None)
    need(len(lo) == len(hi) and np.all(lo <= hi), "the domain has lo above hi")
    if "G" not in domain:
        return lo, hi, None, None
    limits = numbers(domain["h"], None)
    need(isinstance(domain["G"], list) and len(domain["G"]) == len(limits) > 0, "G and h do not fit")
    return lo, hi, np.array([numbers(row, len(lo)) for row in domain["G"]]), limits


def read_certificate(source: str | os.PathLike | bytes) -> Certificate:
    """Parse and check the frame of a certificate."""
    data = source if isinstance(source, bytes) else read_bytes(source, MAX_BYTES)
    archive = open_zip(data, MAX_BYTES)
    names = archive.namelist()
    stray = [n for n in names if n != "certificate.json" and not (n.startswith("arrays/") and n.endswith(".npy"))]
    need(not stray, f"unknown member {str(stray[:1])[:80]}")
    text = read_member(archive, "certificate.json")
    need(len(text) <= 64 << 20, "certificate.json is too large")
    try:
        top = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=not_json)
    except (ValueError, RecursionError) as error:
        raise Reject(f"certificate.json is damaged ({type(error).__name__})") from None
    need(isinstance(top, dict) and set(top) == KEYS, f"certificate.json must hold exactly {', '.join(sorted(KEYS))}")
    need(
        top["format"] == "fiberscope-certificate" and type(top["version"]) is int and top["version"] == 1,
        "unknown format",
    )
    need(isinstance(top["steps"], list) and len(top["steps"]) <= MAX_STEPS, "steps must be a list")
    need(isinstance(top["models"], list) and len(top["models"]) == 2, "models must be a list of two")
    for entry in top["models"]:
        proper = isinstance(entry, dict) and set(entry) == {"sha256", "format"}
        need(proper and all(isinstance(v, str) for v in entry.values()), "a model entry holds sha256 and format")
    domain = read_domain(top["domain"])
    ulp = None if top["max_ulp"] is None else whole(top["max_ulp"], 0, 1 << 20, "max_ulp")
    bound = None if top["error_bound"] is None else finite(top["error_bound"], "error_bound")
    arrays = {n[7:-4]: parse_npy(read_member(archive, n), n) for n in names if n != "certificate.json"}
    claim = (top["claim"], top["strength"], top["method"])
    need(all(isinstance(c, str) or c is None for c in claim), "claim, strength and method are texts")
    lo, hi, rows, limits = domain
    return Certificate(*claim, lo, hi, rows, limits, top["models"], ulp, bound, top["steps"], arrays, set())
