"""LAB-28: what does the analyzer say of the work it was given? ORL^O34, both ways, and each step's outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.errors import Hl7Error
from protocols.hl7 import envelope
from protocols.hl7.acknowledgment import Acknowledgment, read_ack
from protocols.hl7.datatypes import EntityId
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.fields import cut, numbered, row
from protocols.hl7.law_read import read_specimen
from protocols.hl7.law_values import SpecimenReply, Step, StepReply, Work, WorkReply
from protocols.hl7.law_write import container_row, specimen_row
from protocols.hl7.profile import GENERIC, LawProfile

_SPM, _ORC = frozenset({"SPM"}), frozenset({"ORC"})
STATUSES = {"OK": ("SC", "IP", "CM"), "UA": ("CA",), "CR": ("CA",), "UC": ("IP", "CM", "SC")}
"""ORC-5 that may stand beside each ORC-1 of a reply (LAB28-004, LAB28-005)."""


def read_work_reply(message: Message, profile: LawProfile = GENERIC) -> WorkReply:
    """What the analyzer says of our work; both structures, ORL_O42 and ORL_O34, and replies of MSH and MSA alone are read.

    Raises: Hl7Error when the message is no ORL^O34, or has no MSA.
    """
    envelope.expect(message, "ORL", "O34")
    reply = read_ack(message)
    head, parts = cut(message.segments, _SPM)
    specimens = [] if not (loose := _steps(head)) else [SpecimenReply(None, loose)]
    specimens += [SpecimenReply(read_specimen(cut(part, _ORC)[0], profile, {}), _steps(part)) for part in parts]
    header = envelope.read_header(message.header)
    return WorkReply(header, reply.code, reply.control_id, tuple(specimens), reply.text, reply.errors)


def _steps(segments: Sequence[Segment]) -> tuple[StepReply, ...]:
    orders = [item for item in segments if item.name == "ORC"]
    return tuple(StepReply(EntityId.read(orc, 2), orc.component(1), orc.component(5)) for orc in orders)


def write_work_reply(reply: WorkReply, profile: LawProfile = GENERIC) -> bytes:
    """The ORL^O34 of an analyzer; anything but AA carries no specimens.

    Raises: Hl7Error for a code other than AA, AE and AR, specimens beside AE or AR, and an ORC-5 that contradicts ORC-1.
    """
    if reply.code not in ("AA", "AE", "AR"):
        raise Hl7Error(f"{reply.code!r} does not answer work: use AA, AE or AR")
    if reply.specimens and reply.code != "AA":
        raise Hl7Error(f"{reply.code} refuses the whole message: leave the specimens out")
    msh = envelope.msh(
        reply.header,
        ("ORL", "O34", profile.reply_structure),
        version=profile.version,
        charset=profile.charset,
        profile=profile.transaction("LAB-28"),
    )
    rows = [msh, *envelope.msa(Acknowledgment(reply.code, reply.control_id, reply.text, reply.errors))]
    for number, item in enumerate(() if profile.minimal_reply else reply.specimens, 1):
        if item.specimen:
            rows += [specimen_row(number, item.specimen, profile), container_row(item.specimen, profile)]
        for step in item.steps:
            if step.status not in STATUSES.get(step.control, ()):
                allowed = ", ".join(STATUSES.get(step.control, ())) or "nothing: use OK, UA, CR or UC"
                raise Hl7Error(f"ORC-5 {step.status!r} beside ORC-1 {step.control!r}: {allowed}")
            awos = step.awos if profile.reply_names_steps else None
            rows.append(row("ORC", {1: step.control, 2: numbered(awos), 5: step.status}))
    return envelope.seal(rows, ascii_text=profile.ascii_text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one step that was sent; ``control`` is empty when the reply does not settle it."""

    step: Step
    control: str
    status: str = ""


def outcomes(work: Work, reply: WorkReply, profile: LawProfile = GENERIC) -> tuple[Outcome, ...]:
    """What the reply says of each step of the work, in the order of the work.

    By AWOS id; a family that leaves ORC-2 empty is matched by order of appearance, if it names as many steps as were sent.
    AA without any ORC settles the steps only for a family whose replies are always that short. AE, AR and CR refuse every step; CA
    accepts them where no reply follows a success.
    """
    steps = work.steps
    if reply.code == "CA":
        return tuple(Outcome(step, *(_accepted(step) if profile.commit_settles else ("", ""))) for step in steps)
    if reply.code != "AA":
        return tuple(Outcome(step, *_refused(step)) for step in steps)
    if not reply.steps:
        return tuple(Outcome(step, *(_accepted(step) if profile.minimal_reply else ("", ""))) for step in steps)
    named = {item.awos.id: item for item in reply.steps if item.awos}
    in_order = reply.steps if not named and len(reply.steps) == len(steps) else (None,) * len(steps)
    found = (named.get(step.awos.id) if step.awos else None for step in steps)
    pairs = zip(steps, found, in_order, strict=True)
    return tuple(_outcome(step, by_id or by_order) for step, by_id, by_order in pairs)


def _outcome(step: Step, said: StepReply | None) -> Outcome:
    return Outcome(step, said.control, said.status) if said else Outcome(step, "")


def _accepted(step: Step) -> tuple[str, str]:
    return ("CR", "CA") if step.control == "CA" else ("OK", "SC")


def _refused(step: Step) -> tuple[str, str]:
    return ("UC", "") if step.control == "CA" else ("UA", "CA")
