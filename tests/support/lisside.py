"""What the tests of the LIS's line share: a stage that listens for the LIS, and looks into the store."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import LargeBinary, select
from stage import Stage, eventually, free_port, listens
from typer.testing import CliRunner

from labmw.app import Laboratory
from labmw.config import load
from labmw.store import open_reader, schema
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap
from simulators.ltw import Order, OrderingLis, Person, ended, msh, order_message

ALT = "1742-6^Alanine aminotransferase^LN"
CREA = "14682-9^Creatinine^LN"
ADA = Person("P1")
INS = "279035121518989"
QUALIFIED = Person("P1", ins=f"{INS}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS", status="VALI")


def set_up(
    folder: Path, *, lis: str = "", link: str = 'driver = "erba-xl"', extra: str = "", key_file: str = ""
) -> tuple[Stage, int]:
    """A stage whose LIS may speak, and the port on which it is listened to. `lis`: further lines of [lis]."""
    port = free_port()
    stage = Stage(folder, free_port(), free_port(), extra, key_file=key_file).build([], link=link)
    text = stage.config.read_text(encoding="utf-8")
    stage.config.write_text(
        text.replace("[rules]", f'listen = "127.0.0.1:{port}"\n{lis}\n[rules]', 1), encoding="utf-8"
    )
    return stage, port


@contextlib.asynccontextmanager
async def lab(stage: Stage, port: int) -> AsyncIterator[tuple[Laboratory, OrderingLis]]:
    """The daemon's parts with every line open, and an LIS that has dialled."""
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        await eventually(lambda: listens(port) and listens(stage.analyzer_port))
        async with OrderingLis("127.0.0.1", port) as lis:
            yield laboratory, lis
    finally:
        await laboratory.stop()


def new(
    control_id: str, tube: str, *tests: str, kind: str = "O33", person: Person | None = ADA, first: int = 1
) -> bytes:
    """An order message for these tests of a tube, numbered <tube>-1, <tube>-2 ..."""
    orders = [Order(f"{tube}-{number}", test) for number, test in enumerate(tests, first)]
    return order_message(control_id, kind, person, tube, orders)


@contextlib.asynccontextmanager
async def answering(stage: Stage, port: int, answer: str, *, orders: bool = False) -> AsyncIterator[list[str]]:
    """An LIS that answers queries with this QAK-2 (or AE, or silence), and then sends the orders by its own line."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                block = await reader.readuntil(b"\x1c\r")
                query = Message.parse(block.strip(b"\x0b\x1c\r"))
                qpd = query.first("QPD")
                assert qpd is not None
                asked.append(qpd.component(3))
                if not answer:
                    continue
                code = "AE" if answer == "AE" else "AA"
                rows = [
                    msh(f"R{len(asked)}", "RSP^K11^RSP_K11"),
                    f"MSA|{code}|{query.control_id}",
                    f"QAK|{qpd.component(2)}|{answer}|WOS",
                ]
                writer.write(wrap(ended(rows)))
                await writer.drain()
                if orders:
                    async with OrderingLis("127.0.0.1", port) as lis:
                        await lis.tell(new(f"M{len(asked)}", asked[-1], ALT))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", stage.lis_port)
    try:
        yield asked
    finally:
        server.close()


def answers(reply: Message) -> list[tuple[str, str, str]]:
    """ORC-1, ORC-2 and ORC-16 of every order in a reply."""
    return [(orc.component(1), orc.component(2), orc.component(16)) for orc in reply.all("ORC")]


def code(reply: Message) -> str:
    """MSA-1."""
    msa = reply.first("MSA")
    assert msa is not None
    return msa.component(1)


def orders(stage: Stage) -> dict[tuple[str, str, str], str]:
    """The state of every order by tube, test and number."""
    rows = stage.ask('SELECT specimen, loinc, placer, state FROM "order" ORDER BY id')
    return {(str(tube), str(loinc), str(placer)): str(state) for tube, loinc, placer, state in rows}


def reasons(stage: Stage) -> list[str]:
    """What waits for a person."""
    return [str(reason) for (reason,) in stage.ask("SELECT reason FROM quarantine WHERE state = 'open' ORDER BY id")]


def holds(stage: Stage, number: str, tables: Sequence[str] = ()) -> list[str]:
    """Every table and column in which a text stands, in clear or inside bytes."""
    if stage.key_file:
        return opened_holds(stage, number)
    found = []
    for table in schema.metadata.sorted_tables:
        for column in table.c if not tables or table.name in tables else ():
            if stage.url:
                kept = (
                    f'"{column.name}"'
                    if isinstance(column.type, LargeBinary)
                    else f"convert_to(\"{column.name}\"::text, 'UTF8')"
                )
                sql = f"SELECT count(*) FROM \"{table.name}\" WHERE position(convert_to(?, 'UTF8') in {kept}) > 0"
            else:
                sql = f'SELECT count(*) FROM "{table.name}" WHERE instr(CAST("{column.name}" AS BLOB), CAST(? AS BLOB)) > 0'
            if stage.ask(sql, number) != [(0,)]:
                found.append(f"{table.name}.{column.name}")
    return found


def opened_holds(stage: Stage, number: str) -> list[str]:
    """The same where bytes are encrypted: what is read with the key file."""
    found: dict[str, None] = {}
    with open_reader(stage.url or f"sqlite:///{stage.database}", key_file=str(stage.folder / stage.key_file)) as reader:
        for table in schema.metadata.sorted_tables:
            for row in reader.read(select(table)):
                for column, value in row.mapping().items():
                    if number.encode() in (value if isinstance(value, bytes) else str(value).encode()):
                        found[f"{table.name}.{column}"] = None
    return [*found]


def measured() -> str:
    """A time of analysis within the window of a tube that was ordered just now, as the analyzer's clock shows it."""
    return datetime.now(ZoneInfo("Europe/Paris")).strftime("%Y%m%d%H%M%S")


def labmw(stage: Stage, *words: str, code: int = 0, language: str = "en") -> str:
    """Run a command beside the daemon and return what it printed."""
    app = importlib.import_module(f"labmw.cli.{words[0]}").app
    wanted = [*words[1:], "--config", str(stage.config), "--language", language]
    with ThreadPoolExecutor(1) as beside:  # a command has an event loop of its own
        done = beside.submit(CliRunner().invoke, app, wanted).result()
    assert done.exit_code == code, done.output
    return done.output


def segments(text: str, name: str) -> list[list[str]]:
    """The fields of every segment of this name in a message that the LIS got."""
    return [row.split("|") for row in text.split("\r") if row.startswith(f"{name}|")]
