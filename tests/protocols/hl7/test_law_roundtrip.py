"""Is what the analyzer manager writes what the analyzer reads, and the reverse, whatever the values are?"""

from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from protocols.hl7.er7 import NULL, Message
from protocols.hl7.law import (
    GENERIC,
    PERSONALITIES,
    Code,
    Comment,
    EntityId,
    ErrorDetail,
    Header,
    Identifier,
    Location,
    Material,
    NoWork,
    Observation,
    Person,
    PersonName,
    Query,
    QueryName,
    ReportPatient,
    Specimen,
    SpecimenReply,
    SpecimenStatus,
    SpecimenWork,
    StatusChange,
    Step,
    StepReply,
    StepStatus,
    Treatment,
    Volume,
    Work,
    WorkReply,
    outcomes,
    read_query,
    read_status,
    read_work,
    read_work_reply,
    write_no_work,
    write_query,
    write_status,
    write_work,
    write_work_reply,
)
from protocols.hl7.law_reply import STATUSES
from protocols.hl7.values import COMPARATORS, Coded, Document, Numeric, Text

T = TypeVar("T")
PROFILE = replace(GENERIC, volume_field=True)

# Every separator, quotes and letters beyond ASCII; no control characters, which are refused.
word = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12).filter(
    lambda text: text != NULL
)
maybe = st.just("") | word
lines = st.lists(word, min_size=1, max_size=3).map("\n".join)
time = st.sampled_from(["", "2026", "20260315", "20260315081702", "20260315081702+0100", "20260315081702.5-0430"])
# A local code goes with its coding system, or neither is there.
codes = st.builds(Code, word, maybe, word) | st.builds(Code, word, maybe, word, word, maybe, word)
entity = st.builds(EntityId, word, maybe, maybe, maybe)
dilution = st.sampled_from(["", "1:10", ":5", "<1:10", "1.5", "2+3"])
comments = st.lists(st.builds(Comment, lines, word, st.none() | codes), max_size=2).map(tuple)
header = st.builds(Header, maybe, maybe, maybe, maybe, time.filter(bool), word, st.sampled_from("PDT"), maybe, entity)
person = st.builds(Person, word, maybe, maybe, id_type=maybe)
patient = st.builds(
    ReportPatient,
    st.lists(st.builds(Identifier, word, maybe, maybe, maybe, maybe.filter(lambda t: t != "INS")), max_size=2).map(
        tuple
    ),
    st.lists(st.builds(PersonName, word, maybe, maybe, maybe, maybe, maybe, maybe), max_size=2).map(tuple),
    time,
    st.sampled_from(["", "F", "M"]),
    visit_class=st.just("U"),
)


def tuples(of: SearchStrategy[T], most: int = 2, least: int = 0) -> SearchStrategy[tuple[T, ...]]:
    return st.lists(of, min_size=least, max_size=most).map(tuple)


number = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**6), max_value=10**6)
positive = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=0, max_value=10**6)
value = st.one_of(
    st.none(),
    st.builds(Numeric, number, st.sampled_from(COMPARATORS)),
    st.builds(lambda one, two: Numeric(one, "", ":", two), positive, positive),
    st.builds(Text, lines),
    st.builds(Coded, codes),
    st.builds(Document, word, word, st.binary(min_size=1, max_size=20)),
)
material = st.builds(
    Material,
    codes,
    tuples(codes),
    st.none() | codes,
    st.none() | codes,
    st.none() | codes,
    st.none() | codes,
    time,
    maybe,
)
volume = st.builds(Volume, st.decimals(min_value=0, max_value=10**6, places=1), word)
treatment = st.builds(Treatment, st.none() | codes, dilution, st.none() | codes, st.none() | volume)
observation = st.builds(
    Observation,
    codes,
    value,
    maybe,
    maybe,
    st.none() | codes,
    maybe,
    tuples(codes),
    time,
    tuples(person),
    tuples(entity),
    time,
    st.none() | entity,
    tuples(codes),
    maybe,
    maybe,
    st.none() | treatment,
    tuples(material),
    comments,
)
tube = st.builds(
    Specimen,
    id=st.none() | entity,
    container=entity,
    type=st.none() | codes,
    role=st.none() | codes,
    filler_id=st.none() | entity,
    parents=tuples(entity),
    collected=time,
    received=time,
    container_type=st.none() | codes,
    other_ids=tuples(st.builds(Identifier, word, type=maybe)),
    carrier=maybe,
    position=maybe,
    tray=maybe,
    tray_position=maybe,
    location=st.none() | codes,
    dilution=dilution,
)
# An INV below an SPM belongs to the specimen: only a result has substances of its own.
about_the_tube = observation.map(lambda one: replace(one, materials=()))
full_tube = st.builds(
    lambda specimen, materials, about: replace(specimen, materials=materials, observations=about),
    tube,
    tuples(material),
    tuples(about_the_tube, 1),
)
step = st.builds(
    Step,
    entity,
    codes,
    st.sampled_from(["NW", "CA"]),
    time,
    st.none() | codes,
    st.none() | person,
    st.none() | treatment,
    comments,
)


def distinct(work: Work) -> bool:
    ids = [step.awos.components() for step in work.steps if step.awos]
    return len(set(ids)) == len(ids)


work = st.builds(Work, header, tuples(st.builds(SpecimenWork, tube, tuples(step, 3, 1)), 2, 1), st.none() | patient)


@given(work.filter(distinct))
def test_work(sent: Work) -> None:
    assert read_work(Message.parse(write_work(sent, PROFILE)), PROFILE) == sent


@given(header, tube, time, st.none() | st.builds(Comment, lines, word, st.none() | codes))
def test_no_work(head: Header, specimen: Specimen, when: str, reason: Comment | None) -> None:
    # The negative response names the specimen and its container, not what is known of them.
    named = replace(
        specimen,
        role=specimen.role or Code("U", "Unknown", "HL70369"),
        parents=(),
        collected="",
        received="",
        container_type=None,
        other_ids=(),
        filler_id=None,
    )
    sent = NoWork(head, named, when, reason)
    assert read_work(Message.parse(write_no_work(sent)), GENERIC) == sent


reply = st.one_of(
    st.builds(
        WorkReply,
        header,
        st.just("AA"),
        word,
        tuples(
            st.builds(
                SpecimenReply,
                tube,
                tuples(st.sampled_from([(c, s) for c, all_ in STATUSES.items() for s in all_]).flatmap(
                    lambda pair: st.builds(StepReply, entity, st.just(pair[0]), st.just(pair[1]))
                ), 3, 1),
            ),
        ),
        maybe,
    ),
    st.builds(
        WorkReply,
        header,
        st.sampled_from(["AE", "AR"]),
        word,
        st.just(()),
        maybe,
        tuples(
            st.builds(ErrorDetail, st.sampled_from(["100", "204"]), word, st.builds(Location, word, st.integers(1, 9), st.integers(1, 9))),
            2,
            1,
        ),
    ),
)  # fmt: skip


@given(reply)
def test_work_reply(sent: WorkReply) -> None:
    assert read_work_reply(Message.parse(write_work_reply(sent))) == sent


@given(work.filter(distinct), reply)
def test_every_step_has_one_outcome(sent: Work, said: WorkReply) -> None:
    found = outcomes(sent, said)
    assert tuple(outcome.step for outcome in found) == sent.steps


status = st.builds(
    lambda at_analyzer, step: replace(step, at_analyzer=at_analyzer, awos=None if at_analyzer else step.awos),
    st.booleans(),
    st.builds(
        StepStatus,
        st.none() | entity,
        codes,
        maybe,
        maybe,
        reflex=st.booleans(),
        parents=tuples(entity),
        priority=st.none() | codes,
        comments=comments,
        observations=tuples(observation),
    ),
)


@given(
    st.builds(
        StatusChange,
        header,
        tuples(st.builds(SpecimenStatus, full_tube, tuples(status, 2, 1)), 2, 1),
        st.none() | patient,
    )
)
def test_status(sent: StatusChange) -> None:
    read = read_status(Message.parse(write_status(sent, PROFILE)), PROFILE)
    assert read == sent
    assert read.problems == ()


query_names = st.sampled_from([name for profile in PERSONALITIES.values() for name in profile.queries])


@given(header, query_names, maybe, word, word, word, word, word, st.none() | codes)
def test_query(
    head: Header,
    name: QueryName,
    tag: str,
    container: str,
    carrier: str,
    position: str,
    tray: str,
    tray_position: str,
    location: Code | None,
) -> None:
    profile = replace(GENERIC, queries=(name,))
    code = Code(name.code, name.text, name.system)
    sent = Query(head, code, name.by, tag, container, carrier, position, tray, tray_position, location)
    assert read_query(Message.parse(write_query(sent, profile)), profile) == sent


def test_the_strategies_reach_what_they_should() -> None:
    assert Decimal("0.10") == Decimal(
        "0.1"
    )  # equal numbers may be written with other digits; the digits are kept below
    sent = Numeric(Decimal("0.10"))
    change = StatusChange(
        Header("A", "", "B", "", "2026", "1", profile=EntityId("LAB-29", "IHE")),
        (SpecimenStatus(Specimen(container=EntityId("1")), (StepStatus(None, Code("1", "", "L"), observations=(Observation(Code("1", "", "L"), sent),)),)),),
    )  # fmt: skip
    assert b"|0.10|" in write_status(change)
