"""How does a LAW analyzer work through its tubes? It asks for each, does what it is given, reports, and keeps account of all three."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from protocols.errors import ProtocolError
from protocols.hl7 import law
from protocols.hl7.profile import PERSONALITIES
from protocols.hl7.values import Numeric
from simulators.clock import Clock, stamp
from simulators.errors import SimulatorError
from simulators.law import LawAnalyzer, Manners, Offer, Unanswered
from simulators.law_samples import LawTask, LawWork, Run
from simulators.transmission import Attempt, MessageFate, Transmission
from simulators.wire import Plug

ASKS = 4  # times that it asks for a tube when neither work nor its absence comes
STRANGE = "AWOS-OF-NOBODY"
LN, UCUM = "LN", "UCUM"
ROLES = {"P": "Patient specimen", "Q": "Control specimen"}


class LawMorning:
    """One analyzer and its morning."""

    def __init__(self, work: LawWork, plug: Plug, clock: Clock, told: Callable[[str], None] = lambda _: None) -> None:
        self.name, self.work, self.stopped = work.table.name, work, ""
        self.fates = [MessageFate(Transmission(one.name, one.results, case=one.case)) for one in work.tasks]
        self._clock, self._told = clock, told
        table = work.table
        manners = Manners(patience=table.patience, resends=table.resends)
        self._analyzer = LawAnalyzer(table.name, plug, clock, PERSONALITIES[table.profile], manners=manners, told=told)
        self._answers: Counter[str] = Counter()  # of its queries

    @property
    def done(self) -> bool:
        """True when every tube was worked through and its report acknowledged."""
        return all(fate.acknowledged for fate in self.fates)

    async def run(self) -> None:
        """Work through the tubes, in order; ends when all is done or something is not as it must be."""
        async with self._analyzer:
            try:
                for task, fate in zip(self.work.tasks, self.fates, strict=True):
                    await self._clock.sleep(self._clock.real(task.think))
                    await self._do(task, fate)
            except (SimulatorError, ProtocolError) as error:
                self.stopped = str(error)
                self._told(f"{self.name}: stopped, {error}")

    async def _do(self, task: LawTask, fate: MessageFate) -> None:
        fate.sent_at = stamp(self._clock.now())
        offer = None if task.control else await self._ask(task)
        if task.runs:
            await self._report(task, fate, offer)
        fate.acknowledged_at = stamp(self._clock.now())
        said = f"{len(offer.work)} tests given" if offer and offer.work else "a control" if task.control else "no work"
        self._told(
            f"{self.name}: {task.name}, {said}, {len(task.runs)} results reported {task.times if task.runs else 0} times"
        )

    async def _ask(self, task: LawTask) -> Offer:
        """Ask for the work of a tube; whether there is any must be as it was planned. Raises SimulatorError."""
        for _ in range(ASKS):
            try:
                offer = await self._analyzer.ask(named=task.specimen)
            except Unanswered as error:  # labmw has restarted between its reply and the work: the tube is scanned again
                self._answers["unanswered"] += 1
                self._told(str(error))
                continue
            self._answers["work" if offer.work else "no work" if offer.nothing else "refused"] += 1
            if bool(offer.work) != task.work:
                raise SimulatorError(
                    f"{task.name}: {offer.answer.text or 'another answer than planned'}; look at labmw's orders"
                )
            return offer
        raise SimulatorError(f"{task.name} was asked about {ASKS} times in vain; look at labmw's log of this line")

    async def _report(self, task: LawTask, fate: MessageFate, offer: Offer | None) -> None:
        """Send the report so many times: the same results under another number each time, as after a lost acknowledgment."""
        given = {one.step.test.code: one.step.awos for one in offer.work} if offer else {}
        for _ in range(task.times):
            change = law.StatusChange(
                self._analyzer.header(), (_specimen(task, given),), offer.patient if offer else None
            )
            fate.attempts.append(Attempt(stamp(self._clock.now())))
            began = self._clock.monotonic()
            reply = await self._analyzer.report_again(change)
            fate.seconds = round(self._clock.monotonic() - began, 6)
            fate.attempts[-1].outcome, fate.attempts[-1].seconds = f"answered {reply.code}", fate.seconds
            if reply.code != "AA":
                raise SimulatorError(f"{task.name} was answered {reply.code}; look at labmw's log of this line")

    def report(self) -> dict[str, Any]:
        """Return what was asked, given and sent, and what became of it, as JSON."""
        return {
            "name": self.name,
            "wire": self.work.table.connect,
            "complete": self.done,
            "stopped": self.stopped,
            "connections": self._analyzer.connections,
            "line": self._analyzer.report_line(),
            "queries": dict(sorted(self._answers.items())),
            "orders": [
                {"awos": name, "specimen": one.specimen.label, "code": one.step.test.code, "state": one.state}
                for name, one in self._analyzer.held.items()
            ],
            "messages": [fate.report() for fate in self.fates],
            "results": [
                {
                    **asdict(one),
                    "case": fate.transmission.case,
                    "acknowledged": fate.acknowledged,
                    "transmissions": len(fate.attempts),
                    "messages": [fate.transmission.name],
                }
                for fate in self.fates
                for one in fate.transmission.results
            ],
        }


def _specimen(task: LawTask, given: dict[str, law.EntityId | None]) -> law.SpecimenStatus:
    """The whole report of one tube; raises SimulatorError for a test that was to be given and was not."""
    role = "Q" if task.control else "P"
    material = law.Material(
        law.Code(task.specimen, "", "99SIM"),
        (law.Code("OK", "OK status", "HL70383"),),
        law.Code("CO", "Control", "HL70384"),
    )
    tube = law.Specimen(
        container=law.EntityId(task.specimen),
        role=law.Code(role, ROLES[role], "HL70369"),
        materials=(material,) if task.control else (),
    )
    steps: dict[tuple[str, str], list[Run]] = {}
    for one in task.runs:
        steps.setdefault((one.whose, one.test.code), []).append(one)
    return law.SpecimenStatus(tube, tuple(_step(task, whose, runs, given) for (whose, _), runs in steps.items()))


def _step(task: LawTask, whose: str, runs: Sequence[Run], given: dict[str, law.EntityId | None]) -> law.StepStatus:
    code = runs[0].test.code
    test = law.Code(code, runs[0].test.analyte or code, LN)
    observations = tuple(_observation(one, test) for one in runs)
    if whose == "given":
        if code not in given:
            raise SimulatorError(f"{task.name}: {code} was not given; look at labmw's orders for this tube")
        return law.StepStatus(given[code], test, observations=observations)
    if whose == "strange":
        return law.StepStatus(law.EntityId(STRANGE), test, observations=observations)
    parent = next((one for one in given.values() if one is not None), None)
    reflex = not task.control and parent is not None
    return law.StepStatus(
        None,
        test,
        at_analyzer=True,
        reflex=reflex,
        parents=(parent,) if reflex and parent else (),
        observations=observations,
    )


def _observation(one: Run, test: law.Code) -> law.Observation:
    flags = () if one.value else (law.Code("QNS", "Quantity not sufficient", "99SIM"),)
    return law.Observation(
        test,
        Numeric(Decimal(one.value)) if one.value else None,
        run=str(one.run),
        status=one.status,
        unit=law.Code(one.test.unit, "", UCUM) if one.value else None,
        flags=flags,
        devices=(law.EntityId("LAW-SIM", "SIMULATION"),),
        analysed=one.time,
        kind="RSLT",
    )
