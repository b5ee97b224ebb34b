"""The same exchange over a partner's SFTP server: asked, answered, reported; what goes wrong there is waited out and said in both languages (issue 7)."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest
import typer
from hprimside import accepted, result
from lisside import new
from sftpside import PartnerServer, partner_over_sftp, partner_server
from stage import Lis, Stage, eventually, listens
from typer.testing import CliRunner

from labmw.app import Laboratory
from labmw.config import load
from protocols.hprim import HprimFile, parse
from simulators.ltw import OrderingLis, Person

ALT = "1742-6^ALAT^LN"
ADA = Person("P1", family="Lefèvre", given="Zoé")


@dataclass(slots=True)
class Across:
    """A laboratory, and the server of its partner."""

    stage: Stage
    ordering: OrderingLis
    server: PartnerServer

    async def order(self, tube: str = "T1") -> None:
        await self.ordering.tell(new(f"M-{tube}", tube, ALT, person=ADA))

    async def asked(self, number: int = 1) -> HprimFile:
        file = self.server.root / "out" / f"LABMW{number:06d}.HPR"
        await eventually(file.exists)
        return parse(file.read_bytes())

    def lay(self, name: str, data: bytes) -> None:
        (self.server.root / "in" / name).write_bytes(data)

    def state(self) -> str:
        return str(self.stage.ask("SELECT state FROM sub_order")[0][0])

    def trouble(self, line: str) -> dict[str, dict[str, str]]:
        rows = self.stage.ask("SELECT facts FROM link_state WHERE link = ?", line)
        found: dict[str, dict[str, str]] = json.loads(str(rows[0][0])) if rows else {}
        return found

    def said(self, name: str, *words: str) -> str:
        return said(name, *words, "--config", str(self.stage.config))


def said(name: str, *words: str) -> str:
    """What a command says, in a thread of its own: it has its own event loop."""
    module = importlib.import_module(f"labmw.cli.{name}")
    app = getattr(module, "app", None)
    if not isinstance(app, typer.Typer):
        app = typer.Typer()
        app.command(name)(getattr(module, name))
    with ThreadPoolExecutor(1) as apart:
        done = apart.submit(CliRunner().invoke, app, list(words), env={"LANG": "C"}).result()
    return " ".join(done.output.split())


IMPATIENT = ", connect_timeout = 2.0, read_timeout = 0.5"


@contextlib.asynccontextmanager
async def across(folder: Path, limits: str = IMPATIENT) -> AsyncIterator[Across]:
    async with partner_server(folder) as server:
        stage, feed = partner_over_sftp(folder, server, limits)
        laboratory = Laboratory(load(stage.config))
        async with Lis(stage.lis_port):
            try:
                await laboratory.start()
                await eventually(lambda: listens(feed))
                async with OrderingLis("127.0.0.1", feed) as ordering:
                    yield Across(stage, ordering, server)
            finally:
                await laboratory.stop()


async def test_a_life_over_sftp(tmp_path: Path) -> None:
    async with across(tmp_path, limits="") as lab:
        await lab.order()
        asked = await lab.asked()
        lab.lay("ANSWER.ACK", accepted(asked))
        await eventually(lambda: lab.state() == "accepted")
        whole = result(asked)
        lab.lay("SPE000001.HPR", whole[:-8])  # half written: its end comes later
        await eventually(lambda: lab.server.steps.count("read") > 2)
        assert lab.state() == "accepted"
        lab.lay("SPE000001.HPR", whole)
        answer = lab.server.root / "out" / "SPE000001.ACK"
        await eventually(answer.exists)
        assert parse(answer.read_bytes()).records[1].field(2) == "AA"
        await eventually(lambda: lab.stage.ask("SELECT value, state FROM result") == [("22", "delivered")])
        assert lab.state() == "final"
        into = lab.server.root / "in"
        await eventually(lambda: sorted(one.name for one in into.glob("taken/*")) == ["ANSWER.ACK", "SPE000001.HPR"])
        answer.unlink()
        lab.lay("SPE000002.HPR", whole)  # the same bytes under another name
        await eventually((lab.server.root / "out" / "SPE000002.ACK").exists)
        await eventually(lambda: lab.stage.ask("SELECT state FROM partner_file WHERE name = 'SPE000002.HPR'") == [("duplicate",)])  # fmt: skip
        assert lab.stage.ask("SELECT count(*) FROM result") == [(1,)]
        assert len(lab.server.connections) == 1  # one connection carries it all


async def test_what_cannot_be_sent_waits_and_is_said_in_both_languages(tmp_path: Path) -> None:
    async with across(tmp_path) as lab:
        await lab.order()
        asked = await lab.asked()
        good = lab.server.host_key
        await lab.server.shut()
        lab.server.host_key = asyncssh.generate_private_key("ssh-ed25519")
        await lab.server.open()
        lab.lay("ANSWER.ACK", accepted(asked))
        await lab.order("T2")
        await eventually(lambda: "partner-folder" in lab.trouble("SPE messages") and "lis-unreachable" in lab.trouble("SPE"))  # fmt: skip
        changed = "sftp-host-key-changed"  # the first attempt may only have found the connection gone
        await eventually(lambda: lab.trouble("SPE").get("lis-unreachable", {}).get("reason") == changed)
        await eventually(lambda: lab.trouble("SPE messages").get("partner-folder", {}).get("reason") == changed)
        assert not (lab.server.root / "out" / "LABMW000002.HPR").exists()
        english, french = (
            lab.said("interlab", "partners", "--language", "en"),
            lab.said("interlab", "partners", "--language", "fr"),
        )
        assert "ANOTHER host key" in english and good.get_fingerprint() in english
        assert "une AUTRE clé d'hôte" in french and "Téléphoner au partenaire" in french
        lab.server.write_known()  # the partner has confirmed it
        await lab.asked(2)
        await eventually(lambda: lab.stage.ask("SELECT count(*) FROM sub_order WHERE state = 'accepted'") == [(1,)])
        await eventually(lambda: lab.trouble("SPE messages") == {} and lab.trouble("SPE") == {})


@pytest.mark.parametrize("fault", ["hangs", "drops", "full", "down"])
async def test_a_server_that_fails_is_waited_out(fault: str, tmp_path: Path) -> None:
    async with across(tmp_path) as lab:
        if fault == "full":
            lab.server.room = 10
        elif fault == "down":
            await eventually(lambda: "look" in lab.server.steps)
            await lab.server.shut()
        elif fault == "hangs":
            lab.server.hangs = {"write"}
        else:
            lab.server.drops = {"create", "write", "rename"}
        await lab.order()
        if fault != "drops":
            await eventually(lambda: "lis-unreachable" in lab.trouble("SPE"))
            assert not (lab.server.root / "out" / "LABMW000001.HPR").exists()
        reason = {"full": "place-full", "down": "sftp-unreachable", "hangs": "sftp-silent"}.get(fault)
        if reason:
            await eventually(lambda: lab.trouble("SPE").get("lis-unreachable", {}).get("reason") == reason)
        if fault == "down":
            await lab.server.open()
        lab.server.room, lab.server.hangs = None, set()
        asked = await lab.asked()
        assert asked.context == "ORM"
        await eventually(lambda: lab.state() == "sent")
        assert [one.name for one in (lab.server.root / "out").iterdir()] == ["LABMW000001.HPR"]


async def test_one_file_that_may_not_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    async with across(tmp_path) as lab:
        await lab.order()
        asked = await lab.asked()
        lab.server.unreadable.add("SPE000001.HPR")
        lab.lay("SPE000001.HPR", result(asked))
        lab.lay("SPE000002.ACK", accepted(asked))
        await eventually(lambda: lab.state() == "accepted")
        await eventually(lambda: "partner-file" in lab.trouble("SPE messages"))
        assert "SPE000001.HPR" in lab.said("interlab", "partners", "--language", "fr")
        lab.server.unreadable.clear()
        await eventually(lambda: lab.state() == "final")


async def test_check_says_what_is_missing_and_tries_the_server(tmp_path: Path) -> None:
    async with partner_server(tmp_path) as server:
        stage, _ = partner_over_sftp(tmp_path, server, IMPATIENT)

        def checked(*more: str) -> str:
            return said("check", str(stage.config), "--json", *(more or ("--language", "en")))

        assert f"SFTP with 127.0.0.1:{server.port} can be used" in checked()
        (server.secrets / "key").chmod(0o644)
        assert "chmod 600" in checked()
        known = server.secrets / "known_hosts"
        kept = known.read_text(encoding="utf-8")
        known.write_text("", encoding="utf-8")
        assert "rien ne partira" in checked("--language", "fr")
        known.write_text(kept, encoding="utf-8")
        (server.secrets / "key").write_text("no key", encoding="utf-8")
        assert "is no private key" in checked()
