"""From the LIS's list to the deletion certificate, with the command, on both stores; and nothing of it in the file afterwards."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import forked
import pytest
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.app import Laboratory
from labmw.config import load
from labmw.store import connection


async def labmw(stage: Stage, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "LABMW_CONFIG": str(stage.config)}
    done = await asyncio.to_thread(forked.run, *arguments, env=environment, together=True)
    return done.returncode, done.stdout


@pytest.fixture
def stage(tmp_path: Path, store_url: str) -> Stage:
    return Stage(tmp_path, free_port(), free_port(), url=store_url)


async def lived(stage: Stage) -> None:
    """Two patients with a delivered result each, thirty years ago as far as the list and the store say."""
    stage.build(["LONGGONE", "STAYS"])
    async with Lis(stage.lis_port):
        laboratory = Laboratory(load(stage.config))
        try:
            await laboratory.start()
            for tube in ("LONGGONE", "STAYS"):
                await Analyzer(stage.analyzer_port).send(tube, message(tube))
            await eventually(lambda: stage.ask("SELECT count(*) FROM result WHERE state = 'delivered'") == [(2,)])
        finally:
            await laboratory.stop()
    await asyncio.to_thread(stage.write, [("UPDATE result SET received_at = '1990' || substr(received_at, 5)", ())])
    (stage.folder / "last.csv").write_text("patient;last_activity\nP-LONGGONE;1991-01-01\n", encoding="utf-8")


def read(file: str) -> str:
    return Path(file).read_text(encoding="utf-8")


def rewrite(file: str, text: str) -> None:
    Path(file).write_text(text, encoding="utf-8")


def signed(stage: Stage) -> None:
    digest = json.loads((stage.folder / "plan.json").read_text(encoding="utf-8"))["digest"]
    (stage.folder / "signature.toml").write_text(
        f'digest = "{digest}"\nwho = "Dr Test"\nrole = "biologist"\nat = "2026-11-26"\n', encoding="utf-8"
    )


async def test_a_signed_plan_is_carried_out_once_and_what_it_destroyed_is_not_in_the_file(stage: Stage) -> None:
    await lived(stage)
    folder = stage.folder
    where = [str(folder / name) for name in ("last.csv", "plan.json", "signature.toml", "certificate.json")]
    activities, plan, signature, certificate = where
    destroy = ("retention", "destroy", plan, "--signature", signature, "--certificate", certificate)
    code, said = await labmw(stage, "retention", "plan", "--language", "en")
    assert code == 0 and "Without the LIS's list" in said and "switched off" in said
    assert (await labmw(stage, "retention", "plan", "--activities", str(stage.config)))[0] == 2
    code, said = await labmw(stage, "retention", "plan", "--activities", activities, "--out", plan, "--language", "fr")
    assert code == 0 and "archivage intermédiaire" in said
    assert [who for who, *_ in json.loads(read(plan))["due"]] == ["P-LONGGONE"]
    signed(stage)
    code, said = await labmw(stage, *destroy, "--language", "en")
    assert code == 1 and "switched off" in said
    stage.config.write_text(stage.config.read_text() + "\n[retention]\ndestruction = true\n", encoding="utf-8")
    whole = read(plan)
    rewrite(plan, whole.replace("P-LONGGONE", "P-STAYS"))
    code, said = await labmw(stage, *destroy, "--language", "en")
    assert code == 1 and "the plan was changed" in said
    rewrite(plan, whole)
    assert (await labmw(stage, "retention", "hold", "P-STAYS", "--why", "lawsuit"))[0] == 0
    assert (await labmw(stage, "retention", "release", "P-STAYS", "--why", "settled"))[0] == 0
    code, said = await labmw(stage, *destroy, "--language", "en")
    assert code == 0 and "certificate 1" in said and "Not reached: backups" in said, said
    assert stage.ask("SELECT identifier FROM patient") == [("P-STAYS",)]
    told = json.loads(read(certificate))
    assert told["destroyed"]["results: result"] == 1 and len(told["salt"]) == 64 and told["signed"]["who"] == "Dr Test"
    assert stage.ask("SELECT count(*) FROM tombstone WHERE digest LIKE ?", f"%{told['salt']}%") == [(0,)]
    assert (await labmw(stage, *destroy))[0] == 1  # once
    assert (await labmw(stage, "audit", "verify"))[0] == 0
    assert (await labmw(stage, "store", "check"))[0] == 0
    if not stage.url:
        bytes_left = b"".join(path.read_bytes() for path in folder.glob("labmw.db*") if path.is_file())
        assert b"LONGGONE" not in bytes_left and b"STAYS" in bytes_left


async def test_a_patient_goes_into_the_archive_and_comes_back_for_an_auditor(stage: Stage) -> None:
    await lived(stage)
    activities, folder = str(stage.folder / "last.csv"), stage.folder / "archive"
    move = ("retention", "archive", "move", "--activities", activities)
    code, said = await labmw(stage, *move, "--go", "--language", "en")
    assert code == 2 and "set retention.archive_folder" in said
    stage.config.write_text(
        stage.config.read_text() + f'\n[retention]\narchive_folder = "{folder}"\n', encoding="utf-8"
    )
    code, said = await labmw(stage, *move, "--go", "--language", "fr")
    assert code == 2 and "n'est pas là" in said and "Traceback" not in said
    folder.mkdir()
    code, said = await labmw(stage, *move, "--language", "en")
    assert code == 0 and "Nothing was moved" in said and list(folder.iterdir()) == []
    code, said = await labmw(stage, *move, "--go", "--language", "fr")
    assert code == 0 and "1 déplacements" in said, said
    assert stage.ask("SELECT identifier FROM patient") == [("P-STAYS",)]
    assert (await labmw(stage, "retention", "archive", "verify"))[0] == 0
    assert (await labmw(stage, "audit", "verify"))[0] == 0 == (await labmw(stage, "store", "check"))[0]
    code, said = await labmw(stage, "audit", "dossier", "LONGGONE", "--language", "en")
    assert code == 1 and "restore LONGGONE" in said
    code, said = await labmw(stage, "retention", "archive", "list", "--specimen", "LONGGONE", "--json")
    assert code == 0 and {one["class"] for one in json.loads(said)} >= {"raw", "messages", "results", "identity"}
    restore = ("retention", "archive", "restore", "--why", "audit of 2031")
    assert (await labmw(stage, *restore))[0] == 2 == (await labmw(stage, *restore, "A", "--archive", "b"))[0]
    assert (await labmw(stage, *restore, "NOBODY"))[0] == 1 == (await labmw(stage, *restore, "--archive", "../x"))[0]
    code, said = await labmw(stage, *restore, "LONGGONE", "--language", "en")
    assert code == 0 and "rows are back" in said, said
    code, said = await labmw(stage, "audit", "dossier", "LONGGONE")
    assert code == 0 and "MSH" in said
    assert (await labmw(stage, "audit", "verify"))[0] == 0 == (await labmw(stage, "store", "check"))[0]


@pytest.mark.one_database
async def test_without_secure_delete_the_file_would_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variant that breaks it: deleted rows stay legible in freed space."""
    stage = Stage(tmp_path, free_port(), free_port())
    await lived(stage)
    database = connection.open_for_writing(stage.database, 5.0)
    database.execute("PRAGMA secure_delete = OFF")
    database.execute("PRAGMA foreign_keys = OFF")
    database.execute("DELETE FROM result WHERE specimen = 'LONGGONE'")
    database.execute("DELETE FROM message WHERE CAST(raw AS TEXT) LIKE '%LONGGONE%'")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    assert b"LONGGONE" in stage.database.read_bytes()
