"""Do the personalities of the families hold, and can nothing slip through where text is made plain?"""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7.adt import read_adt
from protocols.hl7.envelope import plain
from protocols.hl7.er7 import Message, split_batch
from protocols.hl7.law import (
    GENERIC,
    PERSONALITIES,
    Code,
    EntityId,
    Header,
    Identifier,
    LawProfile,
    Material,
    NoWork,
    PersonName,
    Query,
    QueryBy,
    ReportPatient,
    Specimen,
    SpecimenWork,
    Step,
    Work,
    read_query,
    read_status,
    read_work,
    write_no_work,
    write_query,
    write_query_answer,
    write_work,
)
from protocols.hl7.ltw import read_orders
from protocols.hl7.mllp import Block, MllpReader
from protocols.hl7.profile import SpecimenForm, Topology

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "tests" / "examples").glob("*.hl7"))
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus")) / "hl7"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no message corpus in {CORPUS}: set LABMW_CORPUS")

HEADER = Header("LABMW", "", "X", "", "20260315081702+0100", "M-1")
TUBE = Specimen(EntityId("1234"), EntityId("1234"), Code("SER", "Sérum", "HL70487"), Code("P", "", "HL70369"))
WORK = Work(
    HEADER,
    (SpecimenWork(TUBE, (Step(EntityId("AWOS-1"), Code("GLU", "Glycémie", "99LAB")),)),),
    ReportPatient((Identifier("P1"),), (PersonName("DÉSŒUVRÉ", "Léa"),)),
)
every_profile = pytest.mark.parametrize("profile", PERSONALITIES.values(), ids=lambda profile: profile.name)


@every_profile
def test_each_personality_understands_what_is_written_for_it(profile: LawProfile) -> None:
    data = write_work(WORK, profile)
    read = read_work(Message.parse(data), profile)
    assert isinstance(read, Work)
    assert read.problems == ()
    assert [step.awos for step in read.steps] == [EntityId("AWOS-1")]
    assert read.specimens[0].specimen.label == "1234"
    nothing = read_work(Message.parse(write_no_work(NoWork(HEADER, TUBE), profile)), profile)
    assert isinstance(nothing, NoWork)
    assert nothing.specimen.label == "1234"


@every_profile
def test_each_personality_can_ask_and_is_answered(profile: LawProfile) -> None:
    for name in profile.queries:
        query = Query(HEADER, Code(name.code, name.text, name.system), name.by, "T-1", "1234", "R1", "2", "T1", "3")
        read = read_query(Message.parse(write_query(query, profile)), profile)
        assert (read.by, read.problem) == (name.by, None)
        answer = Message.parse(write_query_answer(read, control_id="1", when="2026", profile=profile))
        assert answer.header.component(12) == profile.version
        qak = answer.first("QAK")
        assert qak
        assert qak.component(1) == ("" if profile.empty_tag else "T-1")


def test_what_each_family_does_its_own_way() -> None:
    x800, pro, direct = (PERSONALITIES[name] for name in ("roche-x800", "cobas-pro", "cobas-6800"))
    assert b"|1234&ROCHE|" in write_work(WORK, x800)
    assert b"|1234&BARCODE|" in write_work(WORK, pro)
    assert b"LAB-28R^ROCHE\r" in write_work(WORK, pro)
    assert b"SPM||1234||" in write_work(WORK, direct)
    assert b"\rSAC\r" in write_work(WORK, direct)
    assert b"|2.5|||NE|AL||ASCII\r" in write_work(WORK, direct)
    assert b"SPM|1|||" in write_work(WORK, PERSONALITIES["alinity"])
    assert b"|||ER|NE||" in write_work(WORK, PERSONALITIES["ba400"])
    assert pro.query_by("INIBAR") is QueryBy.CONTAINER
    assert GENERIC.query_by("INIBAR") is None
    assert direct.query_name(QueryBy.CONTAINER) == direct.queries[0]
    assert replace(GENERIC, queries=()).query_name(QueryBy.ALL) is None
    assert {PERSONALITIES[name].connections for name in ("alinity", "atellica")} == {Topology.TWO}
    assert not PERSONALITIES["cobas-4800"].role_tells_control


def test_text_is_made_plain_where_the_family_wants_it() -> None:
    data = write_work(WORK, PERSONALITIES["roche-x800"])
    assert data.isascii()
    assert b"DESOEUVRE^Lea" in data
    assert "DÉSŒUVRÉ^Léa".encode() in write_work(WORK)


@given(st.text())
def test_plain_text_is_ascii_and_no_separator_comes_out_of_it(text: str) -> None:
    made = plain(text)
    assert made.isascii()
    for mark in "|^~\\&\r\n":
        assert made.count(mark) == text.count(mark)


def test_full_width_separators_do_not_become_separators() -> None:
    assert plain("a｜b＾c＼d") == "a?b?c?d"  # under NFKD they would
    assert plain("Zoé Ångström µg ½ 血") == "Zoe Angstrom ug ? ?"


def test_the_form_of_the_specimen_number() -> None:
    named = replace(TUBE, id=EntityId("1234", "OTHER"), container=None)
    for form, field in ((SpecimenForm.NAMED, "1234&OTHER"), (SpecimenForm.PLAIN, "1234"), (SpecimenForm.EMPTY, "")):
        profile = replace(GENERIC, specimen_form=form, namespace="ROCHE")
        spm = Message.parse(write_work(replace(WORK, specimens=(SpecimenWork(named, WORK.steps),)), profile)).first(
            "SPM"
        )
        assert spm
        assert spm.field(2) == field
    bare = replace(TUBE, id=None)
    for form in SpecimenForm:
        assert write_work(
            replace(WORK, specimens=(SpecimenWork(bare, WORK.steps),)), replace(GENERIC, specimen_form=form)
        )


# --- captures ------------------------------------------------------------------------------------------------------------------


@needs_corpus
def test_cobas_pro_capture() -> None:
    profile = PERSONALITIES["cobas-pro"]
    (query,) = split_batch((CORPUS / "cobas-pro" / "QBP_Q11.hl7").read_bytes())
    read = read_query(query, profile)
    assert (read.by, read.container, read.carrier, read.position) == (QueryBy.RACK, "123", "50001", "1")
    answer = write_query_answer(read, control_id="1", when="20260101", profile=profile)
    assert b"QPD|INISEQ^^99ROC|query1233|123|50001|1|||||SERPLAS^^99ROC|SC^^99ROC|R\r" in answer
    (report,) = split_batch((CORPUS / "cobas-pro" / "OUL_R22_140799.hl7").read_bytes())
    change = read_status(report, profile)
    assert change.problems == ()
    (item,) = change.specimens
    assert (item.specimen.label, item.specimen.carrier, item.specimen.position) == ("140799", "50036", "1")
    (step,) = item.steps
    assert (step.at_analyzer, step.status) == (True, "CM")
    assert step.priority == Code("R", "", "HL70485")
    assert [bool(o.supplemental) for o in step.observations][:4] == [False, False, True, True]
    assert [material.lot for material in step.observations[1].materials] == ["620931", "620127"]


@needs_corpus
def test_cobas_4800_capture() -> None:
    blocks = MllpReader().receive((CORPUS / "cobas-4800" / "run-8-samples.mllp").read_bytes())
    (change,) = [
        read_status(Message.parse(block.data), PERSONALITIES["cobas-4800"])
        for block in blocks
        if isinstance(block, Block)
    ]
    assert change.problems == ()
    assert len(change.specimens) == 8
    assert all(item.steps and item.specimen.label for item in change.specimens)


# --- hostile bytes -------------------------------------------------------------------------------------------------------------

DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.integers(0, 12),
        st.sampled_from(
            [
                b"",
                b"\r",
                b"\n",
                b"|",
                b"^",
                b"~",
                b"\\",
                b"&",
                b'""',
                b"\xe9",
                b"ORC|",
                b"SPM|",
                b"\rPID\r",
                b"OBX|9|NM|",
            ]
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(st.sampled_from(EXAMPLES), DAMAGE, st.sampled_from(sorted(PERSONALITIES)))
def test_readers_read_or_refuse_and_never_break(path: Path, damage: list[tuple[int, int, bytes]], name: str) -> None:
    data = path.read_bytes()
    for place, removed, inserted in damage:
        at = place % len(data)
        data = data[:at] + inserted + data[at + removed :]
    profile = PERSONALITIES[name]
    try:
        message = Message.parse(data)
    except Hl7Error:
        return
    for code, trigger, reader in (
        ("QBP", "Q11", lambda: read_query(message, profile)),
        ("OML", "O33", lambda: read_work(message, profile)),
        ("OUL", "R22", lambda: read_status(message, profile)),
        ("ADT", "A01", lambda: read_adt(message)),
    ):
        if (message.code, message.trigger) == (code, trigger):
            reader()
    if message.code == "OML" and message.trigger in ("O21", "O33", "O35"):
        read_orders(message)


def test_names_of_personalities_are_those_of_families() -> None:
    assert all(re.fullmatch("[a-z0-9-]+", name) and profile.name == name for name, profile in PERSONALITIES.items())


def test_a_control_is_named_in_inventory_where_the_family_takes_it() -> None:
    control = Material(Code("QC1", "Multi", "L"), (Code("OK"),), Code("CO", "", "HL70384"), lot="L77")
    (item,) = WORK.specimens
    tube = replace(item.specimen, role=Code("Q", "", "HL70369"), materials=(control,))
    work = replace(WORK, specimens=(replace(item, specimen=tube),), patient=None)
    told = Message.parse(write_work(work))
    (inv,) = told.all("INV")
    assert [inv.component(n) for n in (1, 2, 3, 16)] == ["QC1", "OK", "CO", "L77"]
    assert [one.name for one in told.segments][1:4] == ["SPM", "SAC", "INV"]
    read = read_work(told)
    assert isinstance(read, Work) and read.specimens[0].specimen.materials == (control,)
    assert b"INV|" not in write_work(work, replace(GENERIC, control_in_order=False))
