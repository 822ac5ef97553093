"""The outcome of a verification, and the one exception by which any part of the checker says no."""

from __future__ import annotations

from dataclasses import dataclass


class Reject(Exception):
    """Something is malformed, unsupported or false: the certificate is not accepted."""


class Trouble(Exception):
    """A file cannot be opened at all (missing, unreadable): no statement about the certificate."""


@dataclass(frozen=True)
class Report:
    """What `verify` found: `valid`, the steps that were checked, and the reason of a refusal."""

    valid: bool
    checked: tuple[str, ...]
    reason: str | None

    def to_json(self) -> dict:
        """The dict that the command prints."""
        return {"valid": self.valid, "checked": list(self.checked), "reason": self.reason}

    def __repr__(self) -> str:
        head = "valid" if self.valid else f"invalid: {self.reason}"
        return f"Report({head}; {len(self.checked)} steps checked)"


def need(condition: object, message: str) -> None:
    """Raise Reject(message) unless the condition holds."""
    if not condition:
        raise Reject(message)
