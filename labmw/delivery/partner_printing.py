"""Who prints the report that goes along with our results? One page for each sub-order, made beside the loop and kept before it is sent."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from labmw.clock import Clock, stamp
from labmw.delivery.partner_results import printed_text
from labmw.documents.paper import Paper, Section, Table, as_pdf
from labmw.errors import StoreError
from labmw.lab.sub_orders import service_of, tests_in
from labmw.phrases import say
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.transaction import Row, Store, Transaction
from labmw.terms import PartnerTerms

log = structlog.get_logger("labmw.delivery")

LOOK_EVERY = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class _Page:
    """A report to be printed."""

    sub_order: Row
    entry: int
    paper: Paper


@dataclass(slots=True)
class ReportPrinting:
    """Prints what waits for its report until it is cancelled."""

    terms: PartnerTerms
    store: Store
    clock: Clock
    wake: Callable[[], None]

    async def run(self) -> None:
        """Look again and again: a report is printed before its message is written, and a restart finds what was left."""
        while True:
            try:
                for page in await self.store.view(self._wanted()):
                    data = await asyncio.to_thread(as_pdf, page.paper)
                    await self.store.run(self._keep(page, data))
                    self.wake()
            except StoreError as error:
                log.error("printing waits for the store", why=str(error))
            except Exception as error:  # one report that cannot be printed must not stop the others, nor the lines
                log.exception("a report could not be printed; it is tried again", why=str(error))
            await asyncio.sleep(LOOK_EVERY)

    def _wanted(self) -> Transaction[list[_Page]]:
        site, partner = self.terms.lis.site, self.terms.partner.name
        pages: list[_Page] = []
        for entry in (yield stored.unwritten_to(site, partner)):
            rows = yield statements.report_of(entry.id)
            if not rows:
                continue
            asked = yield stored.sub_orders_on(site, entry.specimen)
            for row in asked:
                mine = [one for one in rows if one.loinc in tests_in(row) and one.patient == row.patient]
                if row.role != "subcontractor" or row.partner != partner or not mine:
                    continue
                released = yield stored.released_of_tube(site, row.specimen, row.patient)
                newest = {one.loinc: one for one in released if one.loinc in tests_in(row)}
                if set(newest) != set(tests_in(row)):
                    continue  # a report goes along when all of it is there
                documents = yield stored.documents_of([row.id])
                if not any(one.direction == f"out/{entry.id}" for one in documents):
                    pages.append(_Page(row, entry.id, self._paper(row, list(newest.values()))))
        return pages

    def _paper(self, row: Row, results: list[Row]) -> Paper:
        language = self.terms.lis.language
        columns = tuple(
            say(f"interlab-report-{name}", language) for name in ("test", "value", "unit", "range", "flags")
        )
        table = Table(columns, tuple(tuple(printed_text(one)) for one in results))
        title = say("interlab-report-title", language, laboratory=self.terms.site_name)
        subtitle = say("interlab-report-order", language, order=row.number, specimen=row.specimen, filler=row.filler)
        return Paper(title, subtitle, language, (Section(service_of(row).text or row.number, (), (table,)),))

    def _keep(self, page: _Page, data: bytes) -> Transaction[None]:
        yield statements.insert_once(
            schema.partner_document,
            site=self.terms.lis.site,
            sub_order=page.sub_order.id,
            direction=f"out/{page.entry}",
            kind="pdf",
            digest=hashlib.sha256(data).hexdigest(),
            data=data,
            whole=1,
            at=stamp(self.clock.now()),
        )
