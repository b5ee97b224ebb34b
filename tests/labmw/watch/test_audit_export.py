"""Lines that a syslog server and an audit repository can read, and a gap or a changed line shows."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import open_queued

from labmw.documents import atna, syslog
from labmw.lab import sealing
from labmw.lab.sealing import seal, verify
from labmw.store import migrate
from labmw.store.queued import QueuedStore
from labmw.store.statements.audit import audited
from labmw.store.transaction import Transaction
from labmw.watch import audit_export
from labmw.watch.audit_export import check, export

# RFC 5424 §6, written down a second time: header, structured data with its escapes, BOM and text.
NAME = r"[!#-<>-\\^-~]{1,32}"
LINE = re.compile(
    rf'<(\d{{1,3}})>1 (-|\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{{1,6}})?(Z|[+-]\d\d:\d\d)) [!-~]{{1,255}} [!-~]{{1,48}} [!-~]{{1,128}} [!-~]{{1,32}} ((?:\[{NAME}(?: {NAME}="(?:[^"\\\]]|\\["\\\]])*")*\])+) \ufeff(.*)'
)
TEXTS = st.text(max_size=60)
AT = "2026-11-26T08:00:00.000000Z"


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_whatever_stands_in_the_audit_a_line_stays_one_line_of_the_grammar(
    who: str, what: str, why: str, host: str
) -> None:
    line = syslog.line(
        at=AT, host=host, process="7", message_id=what, number=3, chain={"why": why}, text=f"{who} {why}"
    )
    assert LINE.fullmatch(line), line
    assert len(line.splitlines()) == 1


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_whatever_stands_in_the_audit_the_message_is_xml_with_what_dicom_requires(
    who: str, what: str, why: str, subject: str
) -> None:
    text = atna.message(at=AT, site="S", host="h", who=who, what=what, subject=subject, why=why, detail="{}", number=3, digest="d")  # fmt: skip
    assert "\n" not in text and "\r" not in text
    root = ElementTree.fromstring(text)
    assert [child.tag for child in root] == [
        "EventIdentification",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
    ]
    event = root[0]
    assert event.attrib["EventActionCode"] in "CRUDE" and event.attrib["EventOutcomeIndicator"] in ("0", "4", "8", "12")
    assert [child.tag for child in event] == ["EventID", "EventTypeCode"]
    for coded in root.iter():
        if coded.tag in (
            "EventID",
            "EventTypeCode",
            "RoleIDCode",
            "AuditSourceTypeCode",
            "ParticipantObjectIDTypeCode",
        ):
            assert set(coded.attrib) == {"csd-code", "codeSystemName", "originalText"}
    details = {
        one.attrib["type"]: base64.b64decode(one.attrib["value"]) for one in root.iter("ParticipantObjectDetail")
    }
    assert details["sequence"] == b"3" and details["digest"] == b"d"
    assert ("why" in details) == bool(why)


def test_a_patient_is_named_as_a_patient_and_a_failure_as_one() -> None:
    common = {"at": AT, "site": "S", "host": "h", "who": "labmw", "why": "", "detail": "{}", "digest": "d"}
    merged = ElementTree.fromstring(atna.message(**common, what="patient-merged", subject="patient/P1", number=1))
    thing = merged.find("ParticipantObjectIdentification")
    assert thing is not None and thing.attrib["ParticipantObjectID"] == "P1"
    assert (thing.attrib["ParticipantObjectTypeCode"], thing.attrib["ParticipantObjectTypeCodeRole"]) == ("1", "1")
    dead = ElementTree.fromstring(atna.message(**common, what="dead-letter", subject="outbox/3", number=2))
    assert dead[0].attrib["EventOutcomeIndicator"] == "8"


@pytest.fixture
async def store(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[QueuedStore]:
    monkeypatch.setattr(sealing, "BATCH", 3)
    monkeypatch.setattr(audit_export, "BATCH", 2)
    url = store_url or f"sqlite:///{tmp_path / 'labmw.db'}"
    migrate(url)
    one = open_queued(url)
    await one.start()
    yield one
    await one.stop()


def written(count: int, site: str = "s") -> Transaction[None]:
    for number in range(count):
        yield audited(
            site, at=AT, who="Dr É", what="did", subject=f"result/{number}", why='a "b" [c]\nd', number=number
        )


async def lines_of(store: QueuedStore, form: str = "rfc5424", after: int = 0) -> list[str]:
    found: list[str] = []
    await store.view(export("s", form, "host", "1", found.append, after))
    return found


@pytest.mark.parametrize("form", ["rfc5424", "atna"])
async def test_the_lines_are_numbered_and_chained_and_carry_the_seals(store: QueuedStore, form: str) -> None:
    await store.run(written(5))
    await store.run(written(2, "elsewhere"))
    await store.run(seal("s", AT))
    lines = await lines_of(store, form)
    assert all(LINE.fullmatch(line) for line in lines)
    assert check(lines) == (5, "")
    newest = (await store.view(verify("s"))).hash
    assert [newest in line for line in lines] == [False, False, True, False, False]
    assert check((await lines_of(store, form))[:0]) == (0, "")
    await store.run(written(2))
    assert await lines_of(store, form, after=5) == (await lines_of(store, form))[5:]
    assert check(lines + await lines_of(store, form, after=5)) == (7, "")


async def test_a_gap_or_a_changed_line_shows(store: QueuedStore) -> None:
    await store.run(written(6))
    lines = await lines_of(store)
    assert check(lines[:2] + lines[3:]) == (2, "after 2 comes 4")
    assert "after 3 comes 2" in check([*lines[:3], lines[1]])[1]
    digest = re.search(r'digest="([0-9a-f]{64})"', lines[2])
    assert digest
    changed = [*lines[:2], lines[2].replace(digest[1], "0" * 64), *lines[3:]]
    assert "3 does not follow from 2" in check(changed)[1]
    renumbered = [
        *lines[:2],
        *[line.replace(f'seq="{n}"', f'seq="{n - 1}"') for n, line in enumerate(lines[3:], start=4)],
    ]
    assert "3 does not follow from 2" in check(renumbered)[1]  # whoever takes a line out and numbers anew
    assert "no seq" in check(["<109>1 - - - - - - hello"])[1]
