"""The same exchange over files: whole or waited for, twice or cut or in another character set, each answered by a file (issue 7)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hprimside import accepted, result
from lisside import new
from stage import Lis, Stage, eventually, free_port, listens

from labmw.app import Laboratory
from labmw.config import load
from labmw.lab.partner_reconciliation import Difference, reconcile
from labmw.partner_folder import PartnerFolder
from labmw.store import open_reader
from protocols.hprim import HprimFile, parse
from simulators.ltw import OrderingLis, Person

ALT = "1742-6^ALAT^LN"
ADA = Person("P1", family="Lefèvre", given="Zoé")


@dataclass(slots=True)
class Folders:
    """A laboratory whose partner exchanges files with it."""

    stage: Stage
    ordering: OrderingLis
    out: Path
    into: Path

    async def ordered(self) -> HprimFile:
        """A test leaves; return the file that asks for it."""
        await self.ordering.tell(new("M1", "T1", ALT, person=ADA))
        await eventually(lambda: bool(list(self.out.glob("*.HPR"))))
        return parse((self.out / "LABMW000001.HPR").read_bytes())

    def lay(self, name: str, data: bytes) -> None:
        """The partner lays a file down."""
        (self.into / name).write_bytes(data)

    async def answer(self, name: str) -> HprimFile:
        """What the laboratory answers to a file."""
        file = self.out / f"{Path(name).stem}.ACK"
        await eventually(file.exists)
        return parse(file.read_bytes())

    def state(self) -> str:
        """Where the sub-order is."""
        return str(self.stage.ask("SELECT state FROM sub_order")[0][0])

    def troubles(self) -> str:
        """What is wrong with the line on which the partner is heard."""
        rows = self.stage.ask("SELECT trouble FROM link_state WHERE link = 'SPE messages'")
        return str(rows[0][0]) if rows else ""

    def differences(self) -> Sequence[Difference]:
        """What the daily reconciliation tells."""
        config = load(self.stage.config)
        with open_reader(config.store.url, key_file=config.store.key_file) as reader:
            found = reader.look(lambda: reconcile("TEST", config.partners, "2026-11-01T00:00:00.000000Z", 1))
        return found.differences

    def files(self) -> list[tuple[object, ...]]:
        """What came, and what became of it."""
        return self.stage.ask("SELECT name, state FROM partner_file WHERE direction = 'in' ORDER BY id")


@contextlib.asynccontextmanager
async def folders(folder: Path, encoding: str = "cp1252", settle: float = 0.05) -> AsyncIterator[Folders]:
    feed = free_port()
    out, into = folder / "out", folder / "in"
    for one in (out, into):
        one.mkdir(exist_ok=True)
    extra = f"""
[[partners]]
name = "SPE"
files = {{ out = "out", into = "in", encoding = "{encoding}", every = 0.05, settle = {settle} }}
routes = [{{ tests = ["1742-6"] }}]
"""
    stage = Stage(folder, free_port(), free_port(), extra)
    if not stage.config.exists():
        stage.build([])
    text = stage.config.read_text(encoding="utf-8").replace("[rules]", f'listen = "127.0.0.1:{feed}"\n[rules]', 1)
    stage.config.write_text(text, encoding="utf-8")
    laboratory = Laboratory(load(stage.config))
    async with Lis(stage.lis_port):
        try:
            await laboratory.start()
            await eventually(lambda: listens(feed))
            async with OrderingLis("127.0.0.1", feed) as ordering:
                yield Folders(stage, ordering, out, into)
        finally:
            await laboratory.stop()


async def test_asked_answered_and_reported(tmp_path: Path) -> None:
    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        assert asked.records[1].field(5).startswith("Lefèvre^Zoé")
        await eventually(lambda: lab.state() == "sent")
        lab.lay("ANSWER.ACK", accepted(asked))
        await eventually(lambda: lab.state() == "accepted")
        lab.lay("SPE000001.HPR", result(asked))
        answer = await lab.answer("SPE000001.HPR")
        assert answer.records[1].field(2) == "AA"
        await eventually(lambda: lab.stage.ask("SELECT value, state FROM result") == [("22", "delivered")])
        assert lab.stage.ask("SELECT laboratory FROM performed") == [("Labo spécialisé",)]
        assert lab.state() == "final"
        both = ["ANSWER.ACK", "SPE000001.HPR"]
        await eventually(lambda: sorted(path.name for path in lab.into.glob("taken/*")) == both)


async def test_refused_by_a_file(tmp_path: Path) -> None:
    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        lab.lay("ANSWER.ACK", accepted(asked, "UA", "NOCAT^Analyse absente"))
        await eventually(lambda: lab.state() == "refused")
        assert lab.stage.ask("SELECT reason, reason_text FROM sub_order") == [("NOCAT", "Analyse absente")]


async def test_a_duplicate_is_recognised_and_answered_again(tmp_path: Path) -> None:
    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        lab.lay("SPE000001.HPR", result(asked))
        await lab.answer("SPE000001.HPR")
        (lab.out / "SPE000001.ACK").unlink()
        lab.lay("SPE000001.HPR", result(asked))
        assert (await lab.answer("SPE000001.HPR")).records[1].field(2) == "AA"
        await eventually(lambda: lab.files() == [("SPE000001.HPR", "taken"), ("SPE000001.HPR", "duplicate")])
        assert lab.stage.ask("SELECT count(*) FROM result") == [(1,)]


@pytest.mark.parametrize("same", [True, False])
async def test_the_next_file_of_a_name_is_laid_as_soon_as_the_answer_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    """Between an answer and what comes after it a partner may lay its next file: it is read, never put away in place of the one that was answered."""
    reply = PartnerFolder._reply
    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        more = [result(asked) if same else result(asked, "23")]

        async def answered(self: PartnerFolder, name: str, data: bytes, remark: str = "") -> None:
            await reply(self, name, data, remark)
            if more:
                (lab.out / "SPE000001.ACK").rename(lab.out / "first")
                lab.lay(name, more.pop())

        monkeypatch.setattr(PartnerFolder, "_reply", answered)
        lab.lay("SPE000001.HPR", result(asked))
        await eventually((lab.out / "first").exists)
        assert (await lab.answer("SPE000001.HPR")).records[1].field(2) == "AA"
        second = "duplicate" if same else "taken"
        await eventually(lambda: lab.files() == [("SPE000001.HPR", "taken"), ("SPE000001.HPR", second)])
        values = [str(row[0]) for row in lab.stage.ask("SELECT value FROM result ORDER BY id")]
        assert values == (["22"] if same else ["22", "23"])


async def test_a_file_that_was_being_taken_when_all_stopped_is_taken_first(tmp_path: Path) -> None:
    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        lab.lay(".labmw-SPE000001.HPR", result(asked))
        assert (await lab.answer("SPE000001.HPR")).records[1].field(2) == "AA"
        await eventually(lambda: [path.name for path in lab.into.glob("taken/*")] == ["SPE000001.HPR"])
        assert lab.files() == [("SPE000001.HPR", "taken")]


async def test_a_file_half_written_is_waited_for(tmp_path: Path) -> None:
    async with folders(tmp_path, settle=0.3) as lab:
        asked = await lab.ordered()
        whole = result(asked)
        lab.lay("SPE000001.HPR", whole[: len(whole) // 2])
        await asyncio.sleep(0.8)  # longer than a file settles, shorter than it is given up
        assert lab.files() == []
        lab.lay("SPE000001.HPR", whole)
        assert (await lab.answer("SPE000001.HPR")).records[1].field(2) == "AA"
        assert lab.files() == [("SPE000001.HPR", "taken")]


@pytest.mark.usefixtures("at_rest")
async def test_a_file_that_stays_cut_is_kept_refused_and_answered(tmp_path: Path) -> None:
    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        cut = result(asked)[:-6]
        lab.lay("SPE000001.HPR", cut)
        answer = await lab.answer("SPE000001.HPR")
        assert answer.records[1].field(2) == "AE"
        assert "L record" in answer.records[1].field(4)
        assert lab.stage.ask("SELECT raw, reason FROM message WHERE disposition = 'quarantined'") == [
            (cut, "interlab-message-malformed")
        ]
        assert lab.files() == [("SPE000001.HPR", "rejected")]


@pytest.mark.parametrize(("agreed", "sent"), [("cp1252", "utf-8"), ("utf-8", "cp1252")])
async def test_another_character_set_than_agreed_is_read_as_what_it_is(agreed: str, sent: str, tmp_path: Path) -> None:
    async with folders(tmp_path, agreed) as lab:
        asked = await lab.ordered()
        lab.lay("SPE000001.HPR", result(asked, encoding=sent))
        assert (await lab.answer("SPE000001.HPR")).records[1].field(2) == "AA"
        [(laboratory,)] = lab.stage.ask("SELECT laboratory FROM performed")
        assert laboratory == "Labo spécialisé"
        # seen by us, and told to the partner
        assert f"in {sent} and not in {agreed}" in (await lab.answer("SPE000001.HPR")).records[1].field(4)
        assert lab.stage.ask("SELECT detail FROM partner_file WHERE direction = 'in'") == [(f"charset {sent}",)]
        assert lab.stage.ask("SELECT tolerances FROM message WHERE protocol = 'hprim'") == [('["charset"]',)]
        await eventually(lambda: "partner-charset" in lab.troubles())
        assert [one.what for one in lab.differences()] == ["reconcile-charset"]
        lab.lay("SPE000002.HPR", result(asked, encoding=agreed, file="SPE000002.HPR"))
        await eventually(lambda: "partner-charset" not in lab.troubles())


async def test_bytes_that_no_character_set_explains_are_refused_and_kept(tmp_path: Path) -> None:
    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        wrong = result(asked).replace(b"Lef\xe8vre", b"Lef\x81vre")
        lab.lay("SPE000001.HPR", wrong)
        answer = await lab.answer("SPE000001.HPR")
        assert answer.records[1].field(2) == "AE"
        assert "neither UTF-8 nor Windows-1252" in answer.records[1].field(4)
        assert lab.stage.ask("SELECT raw FROM message WHERE disposition = 'quarantined'") == [(wrong,)]
        assert [one.what for one in lab.differences()] == ["reconcile-file-refused"]
        lab.lay("SPE000001.HPR", result(asked))  # mended
        await eventually(lambda: lab.stage.ask("SELECT value FROM result") == [("22",)])


async def test_the_numbers_of_our_files_go_on_whatever_becomes_of_their_messages(tmp_path: Path) -> None:
    async with folders(tmp_path) as lab:
        await lab.ordered()
        await eventually(lambda: lab.state() == "sent")
        lab.stage.write(
            [(f"DELETE FROM {table}", ()) for table in ("sub_order_said", "outbox")]
        )  # as retention does, years later
        await lab.ordering.tell(new("M2", "T2", ALT, person=ADA))
        await eventually((lab.out / "LABMW000002.HPR").exists)
        assert lab.stage.ask("SELECT name, number FROM partner_file WHERE direction = 'out'") == [
            ("LABMW000001.HPR", 1),
            ("LABMW000002.HPR", 2),
        ]


async def test_a_gap_in_the_numbers_is_told(tmp_path: Path) -> None:

    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        for name in ("SPE000001.HPR", "SPE000004.HPR"):
            lab.lay(name, result(asked, file=name))
            await lab.answer(name)
        assert [(one.what, dict(one.facts)) for one in lab.differences()] == [("reconcile-gap", {"numbers": "2–3"})]


async def test_an_answer_to_nothing_is_kept(tmp_path: Path) -> None:
    async with folders(tmp_path) as lab:
        asked = await lab.ordered()
        control = asked.values(asked.records[0], 3)[1].encode()
        lab.lay("ANSWER.ACK", accepted(asked).replace(control, b"NEVERSENT"))
        await eventually(lambda: lab.files() == [("ANSWER.ACK", "rejected")])
