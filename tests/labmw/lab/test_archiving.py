"""What is moved into the archive is there before it is gone here, wherever the move is cut; and it comes back row by row as it was."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from released import Morning, morning, timed
from sqlalchemy import select

from labmw.clock import stamp
from labmw.config import Retention
from labmw.errors import StoreError
from labmw.lab.archive_check import Looked, look_through
from labmw.lab.archive_return import Returned, bring_back
from labmw.lab.archiving import Archiver, Gathered, Moved, Removal, archive_terms
from labmw.lab.destruction import Destruction, Signed
from labmw.lab.retention import RetentionPlan, hold, plan, read_activities
from labmw.lab.sealing import seal, verify
from labmw.store import schema
from labmw.store.archive.folder import ArchiveFolder
from labmw.store.checking import check
from labmw.store.encryption import key_file
from labmw.store.encryption.keyring import Keyring
from labmw.store.statements import archive as stored
from labmw.store.transaction import Transaction

SITE, LATER = "TEST", date(2032, 1, 1)
LIST = b"patient;last_activity\nP-S1;2026-11-01\nP-S2;2026-11-01\nP-S3;2030-06-01\n"


class Cut(BaseException):
    """The process dies here."""


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Morning]:
    async with morning(tmp_path) as one:
        for minutes, tube in enumerate(("S1", "S2", "S3")):
            await one.release(timed(specimen=tube, minutes=minutes))
        one.write("UPDATE result SET state = 'delivered'")
        one.write("UPDATE outbox SET state = 'delivered', payload = X'41', receipt = X'42', delivered_at = created_at")
        one.write("INSERT INTO session (site, id, link, opened_at, closed_at) VALUES ('TEST', 'X1', 'a', '', '')")
        one.write(
            "INSERT INTO journal (site, link, session, at, direction, data) VALUES ('TEST', 'a', 'X1', '', '>', X'4B')"
        )
        one.write("UPDATE message SET session = 'X1' WHERE id = (SELECT message FROM result WHERE specimen = 'S1')")
        await one.line.store.run(seal(SITE, stamp(one.clock.now())))
        (tmp_path / "archive").mkdir()
        yield one


def archiver(day: Morning, *, keys: bool = False) -> Archiver:
    folder = day.line.stage.folder
    ring = None
    if keys:
        file = folder / "keys"
        if not file.exists():
            key_file.write(file, [key_file.fresh("2026-11-01T08:00:00Z")], new=True)
        ring = Keyring(file)
    return Archiver(
        SITE, day.line.store, ArchiveFolder(folder / "archive"), ring, "Dr Test", lambda: stamp(day.clock.now())
    )


async def planned(
    day: Morning, today: date = LATER, terms: Retention | None = None, raw: bytes = LIST
) -> RetentionPlan:
    wanted = archive_terms(terms or Retention())
    found: RetentionPlan = await day.line.store.view(plan(SITE, wanted, read_activities(raw), today, archived=False))
    return found


async def moved(day: Morning, work: Archiver, found: RetentionPlan) -> list[Moved | str | None]:
    await work.clear()
    return [await work.move(found.as_json(), "patient", one) for one in found.due]


def everything(day: Morning) -> dict[str, list[tuple[object, ...]]]:
    """All rows, but for what the archive itself writes down."""
    own = ("archive_move", "archive_piece", "archive_index", "certificate", "tombstone", "audit", "audit_seal")
    found = {}
    for table in schema.metadata.sorted_tables:
        if table.name not in (*own, "data_key", "store_key"):
            found[table.name] = day.ask(f'SELECT * FROM "{table.name}" ORDER BY 1, 2, 3')
    return found


async def sound(day: Morning, work: Archiver) -> Looked:
    await day.line.store.run(seal(SITE, stamp(day.clock.now())))
    chain = await day.line.store.view(verify(SITE))
    assert chain.broken == "" and chain.open == 0
    assert [one for one in check(f"sqlite:///{day.line.stage.database}", SITE) if one.faults] == []
    return await look_through(work)


@pytest.mark.parametrize("keys", [False, True])
async def test_what_is_moved_is_in_the_archive_and_comes_back_as_it_was(day: Morning, keys: bool) -> None:
    work, before = archiver(day, keys=keys), everything(day)
    found = await planned(day)
    assert [(one.patient, one.classes) for one in found.due] == [
        ("P-S1", ("raw", "messages", "results", "identity")),
        ("P-S2", ("raw", "messages", "results", "identity")),
    ]
    done = await moved(day, work, found)
    assert [isinstance(one, Moved) for one in done] == [True, True]
    assert day.ask("SELECT specimen FROM result") == [("S3",)] == day.ask("SELECT specimen FROM outbox")
    assert day.ask("SELECT identifier FROM patient") == [("P-S3",)]
    seen = await sound(day, work)
    assert (seen.moves, seen.files, seen.faults) == (2, 7, ()) and seen.rows > 10
    [(who, told)] = day.ask("SELECT who, detail FROM audit WHERE subject = 'archive' AND what = 'archive-verified'")
    assert (who, json.loads(str(told))) == ("Dr Test", {"files": 7, "rows": seen.rows, "faults": 0})
    files = [path for path in work.folder.root.rglob("*") if path.is_file() and path.name != ".lock"]
    assert not any("S1" in str(path.relative_to(work.folder.root)) for path in files)
    assert any(b"P-S1" in path.read_bytes() for path in files) is not keys
    assert (await planned(day)).due == ()  # nothing twice
    assert await bring_back(work, specimen="NOBODY", why="test") is None
    back = await bring_back(work, specimen="S1", why="an auditor asks")
    assert isinstance(back, Returned) and back.left_out == 0 and len(back.names) == 1
    await bring_back(work, specimen="S2", why="an auditor asks")
    assert everything(day) == before
    seen = await sound(day, work)
    assert (seen.files, seen.faults) == (0, ())
    assert [isinstance(one, Moved) for one in await moved(day, work, await planned(day))] == [True, True]
    assert (await sound(day, work)).faults == ()


CUTS = ("noted", "partial", "written", "moved")


def dying(work: Archiver, when: str) -> Archiver:
    """The same, dead at a step: before the files, in the middle of them, before the rows go, and right after."""

    class Dying(ArchiveFolder):
        def write(self, name: str, files: Any) -> None:
            if when == "noted":
                raise Cut
            if when == "partial":
                place = self.root / name[:2] / f"{name}.partial"
                place.mkdir(parents=True)
                (place / "raw.lines").write_bytes(b"half")
                raise Cut
            super().write(name, files)
            if when == "written":
                raise Cut

    return replace(work, folder=Dying(work.folder.root))


@pytest.mark.parametrize("when", CUTS)
async def test_killed_at_each_step_nothing_is_lost_and_nothing_is_twice(day: Morning, when: str) -> None:
    work, before, found = archiver(day, keys=True), everything(day), await planned(day)
    if when == "moved":
        await work.move(found.as_json(), "patient", found.due[0])
    else:
        with pytest.raises(Cut):
            await dying(work, when).move(found.as_json(), "patient", found.due[0])
        assert everything(day) == before
        assert [one.code for one in (await look_through(work)).faults] == ["archive-cut-off"]
    found = await planned(day)
    await moved(day, work, found)
    seen = await sound(day, work)
    assert seen.faults == () and seen.files == 7
    for tube in ("S1", "S2"):
        await bring_back(work, specimen=tube, why="test")
    assert everything(day) == before


async def test_rows_that_go_before_the_file_is_there_are_lost(day: Morning) -> None:
    """The variant that breaks it: the same removal in the other order, cut in between."""

    class Hasty(Archiver):
        __slots__ = ()

        async def move(self, plan: Any, kind: str, one: Any = None) -> Moved | str | None:
            work = Removal(self.site, plan, "salt", kind, one, self.by)
            gone: list[Gathered] = []

            def first() -> Transaction[None]:
                _, _, found = yield from work._take_out("hasty", self.now())
                gone.append(found)

            await self.store.run(first())
            raise Cut  # and the files were to be written now

    before, found = everything(day), await planned(day)
    work = archiver(day)
    hasty = Hasty(work.site, work.store, work.folder, None, work.by, work.now)
    with pytest.raises(Cut):
        await hasty.move(found.as_json(), "patient", found.due[0])
    await work.clear()
    assert everything(day) != before
    assert await bring_back(work, specimen="S1", why="test") is None  # nobody has it any more


async def test_who_is_held_or_comes_again_meanwhile_stays(day: Morning) -> None:
    work, found = archiver(day), await planned(day)
    await day.line.store.run(hold(SITE, "P-S1", at="", by="Dr Test", why="lawsuit"))
    assert await work.move(found.as_json(), "patient", found.due[0]) == "retention-kept-hold"

    class Meanwhile(ArchiveFolder):
        def write(self, name: str, files: Any) -> None:
            super().write(name, files)
            day.write("UPDATE result SET test_name = 'changed' WHERE specimen = 'S2'")

    late = replace(work, folder=Meanwhile(work.folder.root))
    assert await late.move(found.as_json(), "patient", found.due[1]) == "archive-overtaken"
    assert day.ask("SELECT count(*) FROM result") == [(3,)]
    assert (await sound(day, work)).files == 0
    day.write(
        """INSERT INTO "order" (site, specimen, loinc, updated_at) VALUES ('TEST', 'S2', '1-8', '2031-01-01T00:00:00Z')"""
    )
    assert (await planned(day)).due == ()  # an order is an activity too


async def test_an_order_says_that_a_patient_was_here(day: Morning) -> None:
    day.write("""UPDATE "order" SET updated_at = '2031-01-01T00:00:00Z'""")
    assert [one.patient for one in (await planned(day)).due] in ([], ["P-S1", "P-S2"])


@pytest.mark.parametrize(
    ("touch", "code"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"x"), "archive-damaged"),
        (lambda file: file.write_bytes(file.read_bytes() + b"x"), "archive-damaged"),
        (lambda file: file.unlink(), "archive-damaged"),
        (lambda file: (file.parent / "manifest.json").write_text("{}"), "archive-manifest"),
        (lambda file: (file.parent.parent / "more").write_text("{}"), "archive-unknown"),
    ],
)
async def test_a_file_that_was_touched_is_found_and_not_brought_back(
    day: Morning, touch: Callable[[Path], object], code: str
) -> None:
    work = archiver(day)
    await moved(day, work, await planned(day))
    [file, *_] = sorted(work.folder.root.rglob("results.lines"))
    touch(file)
    assert [one.code for one in (await look_through(work)).faults] == [code]
    if code == "archive-damaged":
        rows = everything(day)
        with pytest.raises(StoreError):
            for tube in ("S1", "S2"):
                await bring_back(work, specimen=tube, why="test")
        assert len(everything(day)["result"]) <= len(rows["result"]) + 1


async def test_a_signed_destruction_reaches_the_archive(day: Morning) -> None:
    work = archiver(day, keys=True)
    await moved(day, work, await planned(day))
    terms, at = Retention(destruction=True), stamp(day.clock.now())
    found = await day.line.store.view(plan(SITE, terms, read_activities(LIST), date(2047, 1, 1)))
    assert [one.patient for one in found.due] == ["P-S1", "P-S2"]
    await day.line.store.run(hold(SITE, "P-S2", at=at, by="Dr Test", why="lawsuit"))
    end, signed = Destruction(SITE, found.as_json(), "salt"), Signed(found.digest, "Dr Test", "biologist", at)
    await day.line.store.run(end.begin(signed, at))
    assert [await day.line.store.run(end.patient(one, at)) for one in end.due] == ["", "retention-kept-hold"]
    await day.line.store.run(end.aged(at))
    await day.line.store.run(end.close(signed, at))
    assert len(list(work.folder.root.rglob("*.sealed"))) == 7  # killed here: the keys have gone, the files not yet
    assert day.ask("SELECT count(*) FROM data_key") == [(3,)]
    await work.clear()
    assert len(list(work.folder.root.rglob("*.sealed"))) == 3
    assert day.ask("SELECT count(*) FROM archive_index WHERE value IN ('P-S1', 'S1')") == [(0,)]
    seen = await sound(day, work)
    assert (seen.files, seen.faults) == (3, ())
    assert await bring_back(work, specimen="S1", why="test") is None


async def test_genetic_tests_count_in_the_archive_too(day: Morning) -> None:
    work = archiver(day)
    await moved(day, work, await planned(day))
    [(loinc,)] = day.ask("SELECT DISTINCT loinc FROM result")
    terms = Retention(destruction=True, genetic_tests=[str(loinc)])
    found = await day.line.store.view(plan(SITE, terms, read_activities(LIST), date(2047, 1, 1)))
    assert found.due == ()


async def test_what_several_patients_share_is_destroyed_with_the_last_of_them(day: Morning) -> None:
    [(shared,)] = day.ask("SELECT message FROM result WHERE specimen = 'S1'")
    day.write("UPDATE result SET message = ? WHERE specimen = 'S2'", shared)
    day.write("UPDATE message SET session = 'X1' WHERE id = ?", shared)
    before, work = everything(day), archiver(day)
    found = await planned(day)
    first, second = [await work.move(found.as_json(), "patient", one) for one in found.due]
    assert isinstance(first, Moved) and isinstance(second, Moved)
    assert "raw" in first.pieces and "messages" in second.pieces
    names = {
        str(name): count
        for name, count in day.ask(
            "SELECT m.name || ' ' || p.class, count(*) FROM archive_index i JOIN archive_piece p ON p.id = i.piece JOIN archive_move m ON m.id = p.move WHERE i.kind = 'patient' GROUP BY 1"
        )
    }
    assert names[f"{first.name} raw"] == 2 == names[f"{second.name} messages"]
    raw = b"patient;last_activity\nP-S1;2026-11-01\n"
    destroy = await day.line.store.view(plan(SITE, Retention(destruction=True), read_activities(raw), date(2047, 1, 1)))
    end, signed = Destruction(SITE, destroy.as_json(), "salt"), Signed(destroy.digest, "Dr Test", "biologist", "")
    await day.line.store.run(end.begin(signed, ""))
    assert [await day.line.store.run(end.patient(one, "")) for one in end.due] == [""]
    await work.clear()
    assert work.folder.has(first.name, "raw.lines")  # of the other one too
    assert not work.folder.has(first.name, "results.lines")
    await bring_back(work, specimen="S2", why="test")
    after = everything(day)
    assert [row for row in before["result"] if "S2" in row] == [row for row in after["result"] if "S2" in row]
    assert [row for row in before["message"] if row[0] == shared] == [
        row for row in after["message"] if row[0] == shared
    ]


async def test_results_come_back_without_a_message_that_was_destroyed(day: Morning) -> None:
    work = archiver(day)
    await moved(day, work, await planned(day))
    terms = Retention(destruction=True, raw=10, messages=10)
    found = await day.line.store.view(plan(SITE, terms, read_activities(LIST), date(2038, 1, 1)))
    end, signed = Destruction(SITE, found.as_json(), "salt"), Signed(found.digest, "Dr Test", "biologist", "")
    await day.line.store.run(end.begin(signed, ""))
    assert [await day.line.store.run(end.patient(one, "")) for one in end.due] == ["", ""]
    await day.line.store.run(end.close(signed, ""))
    await work.clear()
    assert (await sound(day, work)).files == 4
    back = await bring_back(work, specimen="S1", why="test")
    assert back is not None
    assert day.ask("SELECT length(m.raw) FROM message m JOIN result r ON r.message = m.id WHERE r.specimen = 'S1'") == [
        (0,)
    ]
    assert (await sound(day, work)).faults == ()


async def test_a_patient_who_came_again_keeps_what_is_newer(day: Morning) -> None:
    work = archiver(day)
    await moved(day, work, await planned(day))
    day.write("INSERT INTO patient (site, identifier, family) VALUES ('TEST', 'P-S1', 'NEWNAME')")
    back = await bring_back(work, specimen="S1", why="test")
    assert back is not None and back.left_out == 1
    assert day.ask("SELECT family FROM patient WHERE identifier = 'P-S1'") == [("NEWNAME",)]
    assert day.ask("SELECT p.state, count(*) FROM archive_piece p GROUP BY 1 ORDER BY 1") == [
        ("moved", 3),
        ("partly", 1),
        ("returned", 3),
    ]
    assert (await sound(day, work)).faults == ()


async def test_controls_and_the_audit_go_by_their_age_and_the_chain_holds_there_and_back(day: Morning) -> None:
    day.write("UPDATE result SET state = 'control', patient = '' WHERE specimen = 'S1'")
    work, terms = archiver(day), Retention(archive_audit=5)
    found = await planned(day, terms=terms)
    before = await day.line.store.read(select(schema.audit))
    done = await work.move(found.as_json(), "qc")
    assert isinstance(done, Moved) and await work.move(found.as_json(), "qc") is None
    done = await work.move(found.as_json(), "audit")
    assert isinstance(done, Moved) and await work.move(found.as_json(), "audit") is None
    rows = [row.id for row in await day.line.store.read(select(schema.audit))]
    assert not set(rows) & {row.id for row in before}
    assert (await sound(day, work)).faults == ()
    await bring_back(work, name=done.name, why="test")
    assert (await sound(day, work)).faults == ()
    assert {row.id for row in before} <= {row.id for row in await day.line.store.read(select(schema.audit))}
    day.write("UPDATE audit SET why = 'x' WHERE id = ?", before[0].id)
    assert "not as it was" in (await day.line.store.view(verify(SITE))).broken
    day.write("DELETE FROM audit WHERE id = ?", before[0].id)
    assert "rows where" in (await day.line.store.view(verify(SITE))).broken


async def test_the_manifest_says_what_the_audit_says(day: Morning) -> None:
    work = archiver(day)
    await moved(day, work, await planned(day))
    told = [json.loads(str(detail)) for (detail,) in day.ask("SELECT detail FROM audit WHERE what = 'archived'")]
    assert [set(one) for one in told] == [{"digest", "tombstones", "archive", "manifest"}] * 2
    day.write("UPDATE archive_move SET previous = 'x' WHERE id = 2")
    assert [one.code for one in (await look_through(work)).faults] == ["archive-chain"]
    day.write("DELETE FROM tombstone WHERE kind = 'result'")
    assert "certificate" in (await day.line.store.view(verify(SITE))).broken


async def test_whoever_is_merged_is_followed_into_the_archive(day: Morning) -> None:
    work = archiver(day)
    await moved(day, work, await planned(day))
    day.write("INSERT INTO archive_index (site, piece, kind, value) VALUES ('TEST', 1, 'patient', 'P-S3')")

    def merged() -> Transaction[None]:
        for step in stored.follows(SITE, "P-S1", "P-S3"):  # noqa: UP028 -- `yield from` a list cannot be sent the rows
            yield step

    await day.line.store.run(merged())
    found = {
        str(value): count
        for value, count in day.ask("SELECT value, count(*) FROM archive_index WHERE kind = 'patient' GROUP BY 1")
    }
    assert found == {"P-S2": 3, "P-S3": 4}
