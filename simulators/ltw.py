"""How does an LIS order? It sends orders, identities and what it has released over MLLP, and waits for the reply to each (IHE LTW, PAM).

The messages are written here, word for word: what labmw reads must not have been written by labmw's own hand.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap
from simulators.errors import SimulatorError
from simulators.wire import READ_SIZE

NAMES = {"O21": "OML^O21^OML_O21", "O33": "OML^O33^OML_O33", "O35": "OML^O35^OML_O35", "O01": "ORM^O01^ORM_O01"}


@dataclass(frozen=True, slots=True)
class Person:
    """A patient of the LIS."""

    number: str
    authority: str = "HOSPITAL"
    family: str = "TESTPERSON"
    given: str = "Ada"
    birth: str = "19700101"
    sex: str = "F"
    ins: str = ""  # with its authority: "279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
    status: str = ""  # PID-32
    birth_place: str = ""

    @property
    def pid(self) -> str:
        """PID, with fields that labmw has no use for: they must come back all the same."""
        numbers = "~".join(filter(None, (self.ins, f"{self.number}^^^{self.authority}^PI")))
        place = f"^^^^^^BDL^^{self.birth_place}" if self.birth_place else ""
        names = f"{self.family}^{self.given}^{self.given} Marie^^^^L~USED^{self.given}^^^^^D"
        cells = [""] * 33
        cells[0], cells[3], cells[5], cells[7], cells[8] = "PID", numbers, names, self.birth, self.sex
        cells[11], cells[13], cells[18], cells[32] = (
            place,
            "^PRN^PH^^33^1^00000000",
            "STAY-1^^^HOSPITAL^AN",
            self.status,
        )
        return "|".join(cells).rstrip("|")


@dataclass(frozen=True, slots=True)
class Order:
    """One order."""

    number: str
    test: str  # OBR-4 as sent
    control: str = "NW"
    priority: str = "R"
    action: str = ""  # OBR-11
    at: str = "20261101075900+0100"

    @property
    def orc(self) -> str:
        """ORC."""
        return f"ORC|{self.control}|{self.number}^SIL||G-1^SIL|||||{self.at}"

    def obr(self, number: int, tube: str = "") -> str:
        """OBR; `tube` in OBR-20, for a system that has no SPM."""
        cells = ["OBR", str(number), f"{self.number}^SIL", "", self.test, *[""] * 6, self.action, *[""] * 4]
        cells += ["801234567866^DURAND^Paul", *[""] * 3, tube]
        return "|".join(cells).rstrip("|")


def order_message(
    control_id: str,
    kind: str,
    person: Person | None,
    tube: str,
    orders: Sequence[Order],
    *,
    collected: str = "20261101073000+0100",
    specimen: str = "SER^Serum^HL70487",
) -> bytes:
    """An order message of this kind (O21, O33, O35, O01) for one tube; "" for none."""
    rows = [msh(control_id, NAMES[kind])]
    rows += [person.pid, "PV1|1|I|WARD-7"] if person else []
    spm = f"SPM|1|{tube}&SIL||{specimen}|||||||P^Patient specimen^HL70369||||||{collected}|{collected}"
    sac = f"SAC|||{tube}"
    tq1 = [f"TQ1|1||||||||{order.priority}^^HL70485" for order in orders]
    if kind in ("O33", "O35"):
        rows += [spm, sac]
    for number, order in enumerate(orders, 1):
        if kind == "O01":
            timing = f"|||^^^^^{order.priority}||{order.at}"  # TQ1 is younger than ORM: the priority is in ORC-7.6
            rows += [order.orc.replace(f"|||||{order.at}", timing), order.obr(number, tube)]
            continue
        rows += [order.orc, tq1[number - 1], order.obr(number)]
        if kind == "O21" and tube:
            rows += [spm, sac]
    return ended(rows)


def adt(control_id: str, trigger: str, person: Person, merged: str = "") -> bytes:
    """An ADT message; `merged` is MRG-1."""
    structure = {"A40": "ADT_A39", "A47": "ADT_A30", "A28": "ADT_A05", "A31": "ADT_A05"}.get(trigger, "ADT_A01")
    rows = [msh(control_id, f"ADT^{trigger}^{structure}", version="2.5^FRA^2.11"), f"EVN||{STAMP}", person.pid]
    rows += [f"MRG|{merged}"] if merged else ["PV1|1|I|WARD-7"]
    return ended(rows)


@dataclass(frozen=True, slots=True)
class Found:
    """One result that the LIS has released."""

    tube: str
    test: str  # OBX-3 as sent
    value: str
    unit: str = "U/L^U/L^UCUM"
    status: str = "F"
    at: str = "20261001080000+0200"
    type: str = "NM"
    order: str = "OLD-1"
    method: str = "ENZ^Enzymatic^99SIL"
    laboratory: str = "LABO VOISIN"


def released(control_id: str, person: Person, results: Sequence[Found]) -> bytes:
    """An ORU^R01 of the feed of all that the LIS releases."""
    rows = [msh(control_id, "ORU^R01^ORU_R01"), person.pid, "PV1|1|U"]
    for number, one in enumerate(results, 1):
        rows.append(f"ORC|SC|{one.order}^SIL|||CM")
        rows.append(f"OBR|{number}|{one.order}^SIL||{one.test}|||{one.at}|||||||||||||||{one.at}|||{one.status}")
        obx = ["OBX", "1", one.type, one.test, "", one.value, one.unit, "", "", "", "", one.status, "", "", one.at]
        obx += ["", "", one.method, "", one.at, "", "", "", one.laboratory]
        rows.append("|".join(obx).rstrip("|"))
        rows.append(f"SPM|1|{one.tube}&SIL||SER^Serum^HL70487")
    return ended(rows)


STAMP = "20261101080000+0100"


def msh(control_id: str, kind: str, version: str = "2.5.1") -> str:
    """MSH."""
    return f"MSH|^~\\&|SIL|HOSPITAL|LABMW|LAB|{STAMP}||{kind}|{control_id}|P|{version}||||||UNICODE UTF-8"


def ended(rows: Sequence[str]) -> bytes:
    """The bytes of these segments."""
    return "".join(row + "\r" for row in rows).encode()


@dataclass(slots=True)
class OrderingLis:
    """The side of the LIS that sends. Use it as `async with`."""

    host: str
    port: int
    patience: float = 10.0
    replies: list[Message] = field(default_factory=list)
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None
    _blocks: MllpReader = field(default_factory=MllpReader)
    _came: list[bytes] = field(default_factory=list)

    async def __aenter__(self) -> OrderingLis:
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def tell(self, message: bytes) -> Message:
        """Send one message and return its reply; raises SimulatorError when none comes."""
        await self.write(wrap(message))
        return await self.reply()

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self._writer is not None
        self._writer.write(data)
        await self._writer.drain()

    async def reply(self) -> Message:
        """The next reply; raises SimulatorError."""
        self.replies.append(Message.parse(await self.block()))
        return self.replies[-1]

    async def block(self) -> bytes:
        """The bytes of the next block; raises SimulatorError."""
        assert self._reader is not None
        try:
            async with asyncio.timeout(self.patience):
                while not self._came and (data := await self._reader.read(READ_SIZE)):
                    self._came += [one.data for one in self._blocks.receive(data) if isinstance(one, Block)]
        except TimeoutError:
            raise SimulatorError(f"no reply within {self.patience:g} s; look whether labmw listens") from None
        if self._came:
            return self._came.pop(0)
        raise SimulatorError("labmw hung up without a reply; look at its log")
