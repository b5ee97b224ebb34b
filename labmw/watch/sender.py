"""Which driver reads the sender that this header names? One sentence."""

from __future__ import annotations

from labmw.line.registry import Ambiguous, Registry
from labmw.watch.finding import Finding, good, warning
from protocols.recognition import sender_of


def reader_of(registry: Registry, header: bytes) -> Finding:
    """The driver that a header leads to, several, or none."""
    sender = sender_of(header)
    found = registry.recognise(sender, "hl7" if header.startswith(b"MSH") else "astm")
    if not sender.strip("| "):
        return warning("driver", "wire-anonymous")
    if isinstance(found, Ambiguous):
        return warning("driver", "wire-drivers", sender=sender, drivers=", ".join(found.names))
    if found is None:
        return warning("driver", "wire-no-driver", sender=sender)
    return good("driver", "wire-driver", sender=sender, driver=found.name)
