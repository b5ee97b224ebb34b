"""Where are the two laboratories played? A folder with two configurations, two empty stores, throw-away certificates, and nothing of an earlier demonstration."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labmw.cli.demo.stage import clear
from labmw.errors import LabmwError
from labmw.store import migrate
from labmw.tls.throwaway import make
from rules.pack import SHIPPED, load
from rules.signature import Signature, as_toml

HOST = "127.0.0.1"
SCENARIO = Path("scenarios") / "interlab.toml"
LIVER = '{ LIVER = ["1742-6", "2157-6"] }'


@dataclass(frozen=True, slots=True)
class Stage:
    """One demonstration: the folder, the ports, and what is planned."""

    folder: Path
    envelope: str  # mllp, or hprim: files
    scenario: Path
    plan: tuple[Mapping[str, Any], ...]
    orders: str  # host:port where A hears its LIS
    lis: str  # where the LIS listens
    analyzer: str  # where B hears its analyzer

    def config(self, side: str) -> Path:
        """The configuration of laboratory a or b."""
        return self.folder / f"{side}.toml"

    def store(self, side: str) -> Path:
        """The store of laboratory a or b."""
        return self.folder / f"{side}.db"

    def simulate(self, *words: str) -> tuple[str, ...]:
        """A command of the simulators."""
        return (sys.executable, "-m", "simulators", *words)


def set_up(folder: Path, envelope: str, language: str, *, fresh: bool) -> Stage:
    """Make the folder and everything in it; raises LabmwError."""
    if fresh:
        clear(folder)
    spec = importlib.util.find_spec("simulators")
    if spec is None or spec.origin is None:
        raise LabmwError("the simulators are not installed beside labmw; install labmw whole")
    here = folder if envelope == "mllp" else folder / envelope
    here.mkdir(exist_ok=True)
    scenario = here / "scenario.toml"
    shutil.copy(Path(spec.origin).parent / SCENARIO, scenario)
    lis, orders, analyzer, a_hears, b_hears, web_a, web_b = (f"{HOST}:{port}" for port in _free_ports(7))
    (here / "signatures.toml").write_text(_signatures(), encoding="utf-8")
    ways = {"a": _files("b", "a"), "b": _files("a", "b")}
    if envelope == "mllp":
        ways = {"a": _lines("a", "b", b_hears, a_hears), "b": _lines("b", "a", a_hears, b_hears)}
        for name in ("lab-a", "lab-b"):
            make(here, name, datetime.now(UTC))
    else:
        for name in ("a-to-b", "b-to-a"):
            (here / name).mkdir(exist_ok=True)
    (here / "a.toml").write_text(_a(language, web_a, lis, orders, ways["a"]), encoding="utf-8")
    (here / "b.toml").write_text(_b(language, web_b, analyzer, ways["b"]), encoding="utf-8")
    for side in ("a", "b"):
        migrate(f"sqlite:///{(here / f'{side}.db').absolute()}")
    return Stage(here, envelope, scenario, _planned(here, scenario), orders, lis, analyzer)


def _planned(folder: Path, scenario: Path) -> tuple[Mapping[str, Any], ...]:
    report = folder / "plan.json"
    command = (sys.executable, "-m", "simulators", "interlab", str(scenario), "--do", "plan", "--report", str(report))
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own simulators
    if done.returncode:
        raise LabmwError(f"the simulators cannot read {scenario}: {done.stderr.strip()}")
    found: Sequence[Mapping[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["tubes"]
    return tuple(found)


def _head(site: str, name: str, language: str, web: str) -> str:
    host, _, port = web.rpartition(":")
    return f"""\
# Written by `labmw interlab demo`. Every key is explained in deploy/labmw.toml.

[site]
id = "{site}"
name = "{name}"
timezone = "Europe/Paris"
language = "{language}"

[store]
url = "sqlite:///{"a" if site == "LABO-A" else "b"}.db"

[web]
host = "{host}"
port = {port}

[rules]
packs = ["chemistry"]
signatures = "signatures.toml"

[roles.biologist]
may = ["technical", "biological", "order", "deliver"]
people = ["Dr Demo"]
"""


def _a(language: str, web: str, lis: str, orders: str, way: str) -> str:
    return f"""{_head("LABO-A", "Laboratoire A", language, web)}
[lis]
name = "SIL"
connect = "{lis}"
listen = "{orders}"
ack_timeout = 5.0
retry_base = 0.2
retry_cap = 1.0
tests = {LIVER}

[[partners]]                       # laboratory B performs for us
name = "LABO-B"
role = "subcontractor"
facility = "LABO-B"
laboratory = "Laboratoire B"
laboratory_id = "690999902"
accreditation = "8-9999"
our_id = "750999901"
turnaround = 0.002                 # seven seconds: a demonstration has little patience
retry_base = 0.2
retry_cap = 1.0
tests = {LIVER}
routes = [{{ tests = ["1742-6", "2157-6"] }}, {{ tests = ["14682-9"] }}]
{way}"""


def _b(language: str, web: str, analyzer: str, way: str) -> str:
    return f"""{_head("LABO-B", "Laboratoire B", language, web)}
[[link]]
name = "chemistry"
driver = "erba-xl"
listen = "{analyzer}"

[[partners]]                       # we perform for laboratory A
name = "LABO-A"
role = "requester"
facility = "LABO-A"
our_id = "690999902"
turnaround = 0.002
retry_base = 0.2
retry_cap = 1.0
tests = {LIVER}
performs = ["1742-6", "2157-6"]
report = "pdf"
{way}"""


def _lines(us: str, them: str, connect: str, listen: str) -> str:
    return f"""\
connect = "{connect}"
listen = "{listen}"
ack_timeout = 5.0
tls = {{ certificate = "lab-{us}.pem", key = "lab-{us}.key", trusted = "lab-{them}.pem", peer_name = "lab-{them}" }}
"""


def _files(them: str, us: str) -> str:
    return f"""\
files = {{ out = "{us}-to-{them}", into = "{them}-to-{us}", format = "hprim", every = 0.2, settle = 0.2 }}
"""


def _signatures() -> str:
    pack = load(SHIPPED / "chemistry")
    now = datetime.now(UTC).replace(microsecond=0)
    signed = Signature(pack.id, pack.version, pack.hash, "Dr Demo", "biologist", now, "demonstration")
    return "# Signed by `labmw interlab demo` for the demonstration alone.\n\n" + as_toml(signed)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
