"""BD BACTEC FX blood culture instruments behind EpiCenter or Synapsys, E1394 over RS-232 or TCP: growth or none, bottle by bottle.

The sender is Becton Dickinson, without a model. R.3 is ^^^GND^bottle: growth or no growth of one bottle, a word in R.4 (INST_NEGATIVE); a culture in EpiCenter
comes with other codes under the same header (a study in O.5, an isolate behind it). Status P is the state of a bottle that goes on. R.12 is the start.
Nothing is mapped: which LOINC code a bottle answers depends on its medium and its site.

Orders are not declared: the public host programs that we read send EpiCenter demographics and studies of each laboratory's own.

Source: a message of a BACTEC FX as a public simulator writes it, and messages of EpiCenter (2026) found in public code. No document was read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field, TestId


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^kind^bottle; the bottle is part of what was read."""
    parts = (*components, *[""] * 5)
    return TestId(parts[3], analyte=parts[4])


DRIVER = Driver(
    name="bd-bactec",
    recognises=r"^Becton Dickinson$",
    maker="BD",
    models=("BACTEC FX", "BACTEC FX40"),
    evidence=Evidence.UNVERIFIED,
    completed_or=Field("R", 12),
    split=split,
    flags={},
)
