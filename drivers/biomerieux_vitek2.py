"""bioMérieux VITEK 2 identification and susceptibility cards, tagged fields over its own link (protocol = "tags").

A card names its organism (o1), then each antibiotic (a1) with its MIC (a3) and category (a4), of one isolate (t1). The end of a card is the tag zz: without
it the message broke off. Resistance phenotypes (af, ap) are kept and shown, not read. Organism and antibiotic codes are bioMérieux's; none is mapped.

Orders are not declared: how a host answers or sends demographics (mtmpr) stands in chapters that were not at hand.

Source: bioMérieux, Bidirectional Computer Interface Specification (RS232) 514724-1EN1 (08/2012), of which only its beginning was at hand; the meaning of the
fields from published messages of VITEK 2 Compact (tobasa-cpp), whose frame was recomputed on three more.
Evidence: unverified.
"""

from labmw.driver.declaration import Evidence, Field, TestId
from labmw.driver.laying import PlainDriver
from labmw.driver.tags import vitek
from labmw.model import Flag


def _split(parts: tuple[str, ...]) -> TestId:
    code, isolate = [*parts, "", "", "", "", ""][3:5]
    return TestId(code, analyte=f"isolate {isolate}" if isolate else "")


DRIVER = PlainDriver(
    name="biomerieux-vitek2",
    recognises=r"^V2\^",
    protocol="tags",
    maker="bioMérieux",
    models=("VITEK 2", "VITEK 2 Compact"),
    evidence=Evidence.UNVERIFIED,
    layout=vitek,
    split=_split,
    serial=Field("H", 5, 3),
    flags={"R": Flag.ABNORMAL, "I": Flag.ABNORMAL, "S": Flag.NORMAL},
    silent=frozenset({"-"}),
)
