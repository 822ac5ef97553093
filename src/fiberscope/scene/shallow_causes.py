"""The causes of null vectors of the Fisher information: what each means, and its colour in pictures."""

from __future__ import annotations

CAUSES = {
    "scaling": "a unit's input and output weights scale against each other",
    "exchange": "units with the same active side trade output weight",
    "boundary": "units on one boundary part so that their kinks balance",
    "unread": "nothing reads the unit: its weights and bias are free",
    "dead": "the unit is zero on the whole domain: all its weights are free",
    "constant": "a unit that is constant or linear trades with the bias",
    "affine": "linear functions made by several units cancel",
}
COLOURS = {
    "scaling": "full",
    "exchange": "free",
    "boundary": "inner",
    "unread": "dead",
    "dead": "ink",
    "constant": "lost",
    "affine": "accent",
}
