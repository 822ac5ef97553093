"""How drawings look: the colours of a light and a dark page, and what each role fills and strokes.

The five kinds of bar keep their colours in every picture. White text on the light colours, and nearly black text on the
dark ones, has a contrast above 4.5 : 1; a test computes it.
"""

from __future__ import annotations

from dataclasses import dataclass

# colour key: (light, dark)
COLOURS: dict[str, tuple[str, str]] = {
    "full": ("#2b66b8", "#82b4f7"),
    "lost": ("#b45309", "#f2a65a"),
    "free": ("#0a7a6c", "#52cdb9"),
    "inner": ("#9a3a8e", "#e08fd2"),
    "dead": ("#66717d", "#98a3af"),
    "ink": ("#1b1f24", "#e9edf2"),
    "soft": ("#57606a", "#a4adb8"),
    "line": ("#d4dae1", "#343c47"),
    "edge": ("#7d8894", "#76818e"),
    "card": ("#fbfcfd", "#1a1f26"),
    "shade": ("#fdf3df", "#332b1a"),
    "paper": ("#ffffff", "#14181d"),
    "on": ("#ffffff", "#12161b"),
    "accent": ("#c2185b", "#ff7aa8"),
    # a ramp for heights, from low to high
    "tone0": ("#f4f7f4", "#171c22"),
    "tone1": ("#e2eee6", "#1b2a33"),
    "tone2": ("#c8e2db", "#1e3a45"),
    "tone3": ("#a5d1d0", "#214d5a"),
    "tone4": ("#80bbc8", "#26626e"),
    "tone5": ("#5d9ebd", "#2f7a82"),
    "tone6": ("#437dad", "#43949a"),
    "tone7": ("#305a93", "#68b0ae"),
    "tone8": ("#273a70", "#9cccc3"),
}


@dataclass(frozen=True)
class Paint:
    """What a role does with its colour. `fill` and `stroke` are colour keys, "" for none, "*" for the shape's own."""

    fill: str = ""
    stroke: str = ""
    width: float = 0.0
    opacity: float = 1.0
    dash: str = ""


PAINTS: dict[str, Paint] = {
    "solid": Paint(fill="*"),
    "ribbon": Paint(fill="*", opacity=0.26),
    "line": Paint(stroke="*", width=1.2),
    "notch": Paint(stroke="*", width=1.0, opacity=0.55),
    "guide": Paint(stroke="*", width=1.0),
    "dashed": Paint(stroke="*", width=1.2, dash="3 4"),
    "edge": Paint(stroke="*", width=1.0, opacity=0.42),
    "card": Paint(fill="card", stroke="*", width=1.1),
    "shade": Paint(fill="shade", stroke="*", width=1.1),
    "ring": Paint(fill="card", stroke="*", width=2.0),
    "shaded-ring": Paint(fill="shade", stroke="*", width=2.0),
    "outline": Paint(stroke="*", width=2.2),
    "arrow": Paint(stroke="*", width=3.0),
    "chevron": Paint(stroke="*", width=1.6, opacity=0.8),
    "contour": Paint(stroke="*", width=0.7, opacity=0.55),
    "curve": Paint(stroke="*", width=2.4),
    "badge": Paint(fill="paper", stroke="*", width=1.3),
}


@dataclass(frozen=True)
class Letter:
    """How a role of text is set: size in pixels and weight."""

    size: float
    weight: int = 400


LETTERS: dict[str, Letter] = {
    "title": Letter(17, 650),
    "subtitle": Letter(12.5),
    "label": Letter(12.5),
    "head": Letter(12.5, 600),
    "small": Letter(11),
    "tiny": Letter(9),
    "on": Letter(12, 500),
    "number": Letter(12.5, 700),
    "legend": Letter(12.5),
}


def width_of(text: str, role: str) -> float:
    """Room for a line of text: a little above the mean of DejaVu Sans, the widest of the fonts asked for."""
    letter = LETTERS[role]
    return letter.size * len(text) * (0.53 if letter.weight < 600 else 0.6)


def wrapped(text: str, width: float, role: str) -> list[str]:
    """The text in as few lines as `width` allows, of about equal length.

    >>> wrapped("one two three four", 100.0, "label")
    ['one two', 'three four']
    """
    lines = _greedy(text, width, role)
    while width > 8.0 and len(shorter := _greedy(text, width - 8.0, role)) == len(lines) > 1:
        lines, width = shorter, width - 8.0
    return lines


def _greedy(text: str, width: float, role: str) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, role) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
