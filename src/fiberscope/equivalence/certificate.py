"""Certificates: what a verdict rests on, as one zip file that ``fiberscope_verify`` can check on its own."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.errors import CertificateError

if TYPE_CHECKING:
    from fiberscope.network import Network

FORMAT, VERSION = "fiberscope-certificate", 1
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Certificate:
    """A JSON document and the arrays it names; ``to_bytes`` is the file.

    >>> Certificate({"steps": []}).to_bytes()[:2]
    b'PK'
    """

    document: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """How the claim is shown: same-bytes, chain, shallow, reversal, graph, names, witness or bound."""
        return str(self.document.get("method"))

    def to_bytes(self) -> bytes:
        """The zip file; the same certificate gives the same bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            text = json.dumps(self.document, indent=1, allow_nan=False)
            self._member(archive, "certificate.json", text.encode())
            for name in sorted(self.arrays):
                part = io.BytesIO()
                np.save(part, np.ascontiguousarray(self.arrays[name]), allow_pickle=False)
                self._member(archive, f"arrays/{name}.npy", part.getvalue())
        return buffer.getvalue()

    @staticmethod
    def _member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, data)

    def save(self, path: str | Path) -> Path:
        """Write the file, whole, and return its path; errors: CertificateError when it cannot be written."""
        from fiberscope.network.origin import write_bytes

        try:
            write_bytes(Path(path), self.to_bytes())
        except OSError as error:
            raise CertificateError(f"{path}: cannot write the certificate: {error.strerror or error}") from error
        return Path(path)

    def __repr__(self) -> str:
        size = sum(array.nbytes for array in self.arrays.values())
        return (
            f"Certificate: {self.document.get('claim')} ({self.document.get('strength') or 'witness'})\n"
            f"  method {self.method}, {len(self.document.get('steps', []))} steps, {size:,} bytes of arrays\n"
            f"  .save(path) writes it; fiberscope_verify checks it"
        )


def certificate(
    a: Network,
    b: Network,
    *,
    claim: str,
    strength: str | None,
    method: str,
    steps: list[dict[str, Any]],
    arrays: dict[str, np.ndarray] | None = None,
    domain: dict[str, list[float]] | str = "all",
    max_ulp: int | None = None,
    error_bound: float | None = None,
) -> Certificate:
    """Assemble a certificate about two networks, named by their content hashes."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "claim": claim,
        "strength": strength,
        "method": method,
        "domain": domain,
        "models": [{"sha256": net.sha256, "format": net.format} for net in (a, b)],
        "max_ulp": max_ulp,
        "error_bound": error_bound,
        "steps": steps,
    }
    return Certificate(document, arrays or {})
