"""Is a file that came inside a message whole? PDF by its first and last lines, CDA by its root element."""

from __future__ import annotations

_PDF_WITHIN = 1024  # bytes from the start and from the end: ISO 32000-1, annex H, notes 12 and 18
_CDA_END = b"ClinicalDocument>"


def kind_of(data: bytes) -> str:
    """What the bytes are: pdf, cda or "" for anything else. The name a partner gives it is not believed."""
    if b"%PDF-" in data[:_PDF_WITHIN]:
        return "pdf"
    return "cda" if b"ClinicalDocument" in data[:4096] and data.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<" else ""


def is_whole(data: bytes) -> bool:
    """Whether nothing is cut off at the end of a PDF or CDA; False for anything else."""
    match kind_of(data):
        case "pdf":
            return b"%%EOF" in data[-_PDF_WITHIN:]
        case "cda":
            return data.rstrip().endswith(_CDA_END)
    return False
