"""What can be said of a line to an analyzer: [[link]], with its default where a key may be left out."""

from __future__ import annotations

from typing import Literal

from labmw.config.strict import Strict
from labmw.tls.settings import Tls
from labmw.tube_form import TubeForm
from protocols.hl7.acknowledging import Agreed


class Serial(Strict, frozen=True):
    """RS-232 settings of one line."""

    device: str
    baud: int = 9600
    bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop: Literal[1, 2] = 1
    rtscts: bool = False
    xonxoff: bool = False
    rts: bool = True  # RTS and DTR are asserted while the port is open: many analyzers wait for one of them
    dtr: bool = True


class Tube(Strict, frozen=True):
    """How the laboratory's labels arrive on a line: filled up on the left, with a check character behind them, or both."""

    pad: str = ""
    length: int = 0
    check: Literal["", "luhn", "mod43"] = ""

    @property
    def form(self) -> TubeForm:
        """The same, to read and write with."""
        return TubeForm(self.pad, self.length, self.check)


class Link(Strict, frozen=True):
    """One line to one analyzer. Exactly one of `listen`, `connect` and `serial` is set."""

    name: str
    driver: str = "auto"  # a driver's name, or "auto": chosen by the header
    listen: str = ""  # "host:port": the analyzer connects to labmw
    connect: str = ""  # "host:port": labmw connects to the analyzer
    serial: Serial | None = None
    protocol: Literal["astm", "hl7", "law", "tags", "maglumi", "stx", "au", "pk", "rapid"] = (
        "astm"  # law: IHE LAW, with orders and queries; the last six: links of their own (docs/plain-links.md)
    )
    role: Literal["computer", "instrument"] = "computer"
    encoding: str = ""  # "" = the driver's
    timezone: str = ""  # "" = the site's
    tube: Tube | None = None  # how tubes are written on this line, in the place of what the driver says; not for HL7
    tls: Tls | None = None  # TLS on a link that listens or connects
    allow: list[str] = []  # peer addresses or networks allowed to connect; empty = any
    senders: dict[str, str] = {}  # address or network: driver, where several analyzers dial one port
    proxy: list[
        str
    ] = []  # load balancers: connections from these addresses begin with a PROXY header (v1 or v2) that names the peer
    connections: int = (
        4  # at once on this link; the one that never spoke, else the longest silent of the same address, gives way
    )
    tap: bool = False  # labmw only listens, beside the middleware that answers; nothing of this link ever leaves it
    clock_tolerance: float = (
        0.0  # seconds the analyzer's clock may be behind; 0 = it is only looked whether it runs ahead
    )
    names: Literal["compare", "ignore"] = (
        "compare"  # a patient's name that is not the LIS's keeps a result from leaving
    )
    idle_timeout: float = 0.0  # seconds without a byte until the connection is closed; 0 = never
    tolerances: dict[str, str | int | float | bool] = {}  # added to the driver's
    # --- protocol = "hl7" and "law" ---
    acknowledge: Agreed = ""  # which acknowledgments were agreed (MSH-15, MSH-16): decision 0079; "" = the profile's
    batch_reply: bool = False  # a batch (BHS, FHS) is answered by one batch, instead of message by message
    # --- protocol = "astm" and "hl7": is the analyzer told what to do? ---
    work: Literal["", "asked", "push"] = (
        ""  # asked: its queries are answered; push (astm): it keeps a worklist, and is told of new orders too; "" = neither
    )
    # --- protocol = "law"; patients and tests also with work ---
    profile: str = "generic"  # how the family speaks LAW: protocols/hl7/profile.py
    orders: str = ""  # "host:port" where the analyzer takes orders, when not on the connection that it opens
    push: bool = False  # it keeps a worklist, and is told of new orders without being asked
    patients: bool = True  # patients' names go along with orders
    code_system: str = (
        "L"  # coding system of the analyzer's test codes (OBR-4.3), such as 99ROC; LN where the code is a LOINC code
    )
    tests: list[str] = []  # LOINC codes ordered from this analyzer; empty: all that its driver knows
    ack_timeout: float = 0.0  # seconds until an order is sent again; 0 = the profile's


def content_of(link: Link) -> str:
    """What the messages of a link are, and hence what its driver must read: IHE LAW is HL7, and a MAGLUMI sends ASTM records."""
    return {"law": "hl7", "maglumi": "astm"}.get(link.protocol, link.protocol)
