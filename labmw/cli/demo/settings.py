"""Which configuration does the demo run with? The text of build/demo/labmw.toml, to be read and tried by whoever looks around afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SITE = "DEMO"
LIS = "LIS"
PACKS = ("chemistry", "haematology", "immunoassay")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the demo: over RS-232 or over TCP, ASTM or IHE LAW."""

    name: str
    driver: str
    listen: str = ""
    device: str = ""
    law: bool = False
    asks: bool = False  # an ASTM analyzer that asks for its work


def text(lines: Sequence[Line], lis: str, web: str, language: str) -> str:
    """Write the configuration."""
    host, _, port = web.rpartition(":")
    head = f"""\
# Written by `labmw demo`. Every key is explained in deploy/labmw.toml.

[site]
id = "{SITE}"
name = "Demonstration"
timezone = "Europe/Paris"
language = "{language}"

[store]
url = "sqlite:///labmw.db"

[web]
host = "{host}"
port = {port}

[lis]
name = "{LIS}"
connect = "{lis}"
ack_timeout = 5.0
retry_base = 0.5   # a demonstration has little patience
retry_cap = 2.0

[rules]
packs = [{", ".join(f'"{pack}"' for pack in PACKS)}]
signatures = "signatures.toml"

[roles.biologist]   # who may decide, with --by: an invented laboratory has invented people
may = ["technical", "biological", "hold", "reject", "rerun", "comment", "withdraw", "call", "recall", "stop", "resume", "qc", "rules", "accept", "mapping", "quarantine", "deliver", "order", "retention"]
people = ["Dr Alouette", "Dr Bergeronnette"]

[roles.technician]
may = ["technical", "hold", "rerun", "comment", "call", "stop", "mapping", "quarantine", "order"]
people = ["T. Pinson"]
"""
    return head + "".join(_line(line) for line in lines)


def _line(line: Line) -> str:
    wire = f'serial = {{ device = "{line.device}" }}' if line.device else f'listen = "{line.listen}"'
    law = 'protocol = "law"\nallow = ["127.0.0.1"]\n' if line.law else ""
    work = 'work = "asked"\n' if line.asks else ""
    return f'\n[[link]]\nname = "{line.name}"\ndriver = "{line.driver}"\n{law}{work}{wire}\n'
