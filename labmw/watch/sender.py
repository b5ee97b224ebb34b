"""Which driver reads the sender that this header names? And where it names nobody, which drivers know the test codes that came?"""

from __future__ import annotations

from collections.abc import Collection

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


def knowers(registry: Registry, codes: Collection[str]) -> list[Finding]:
    """The ASTM drivers that know most of these codes, if any knows at least half of them: candidates, since codes such as 1 and 2 are everybody's."""
    known = {
        name: len(set(codes) & driver.tests.keys())
        for name, driver in registry.drivers.items()
        if driver.protocol == "astm"
    }
    most = max(known.values(), default=0)
    if most == 0 or most * 2 < len(codes):
        return []
    names = sorted(name for name, count in known.items() if count == most)
    facts = {"drivers": ", ".join(names[:5]), "known": most, "codes": len(codes)}
    return [warning("driver", "wire-codes-known", **facts)]
