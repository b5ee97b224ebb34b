"""Roche cobas c 111 clinical chemistry analyzers, E1394 over RS-232: the specimen is in O.4, where the analyzer itself writes it.

R.3 is ^^^code^treatment: a code with a treatment (a dilution, a concentration) is another key, and goes to quarantine, because the manual
does not say here whether the factor is applied. A limit stands before a value outside the test range (<0.05). Status X has no value, R was
sent before, I is a control that is not counted. Detailed flags come as comments: unknown until a laboratory maps them. Controls are called
1000 plus their code, with action Q. The codes are Roche's application codes unless a laboratory has changed the analyzer's table of host
codes; those of the manual's and a published message are here.

Orders are not declared: two public host programs for this analyzer differ (H.11 and O.26), and no document that we read shows the query (TSREQ^REAL).

Source: Roche, cobas c 111 Host Interface Manual, version 2.1 (October 2012): p. 23 (application and host codes), p. 44 (specimen, controls),
p. 49 (value, unit, flags), p. 50 (status, time, examples with 687); a message that senaite.astm publishes (tests/data/cobas_c111.txt: 413 in
g/L). Application codes of 413, 685 and 687: see the sources of roche-cobas-c311.
Evidence: manual (and a published capture: tests/captures/roche-cobas-c111/published.toml).
"""

from labmw.driver.declaration import STANDARD_FLAGS, Driver, Evidence, Field, Test, TestId


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^code^treatment^pre-treatment; what was treated is not the plain test."""
    parts = (*components, *[""] * 6)
    treated = "/".join(text for text in parts[4:6] if text)
    return TestId(code=parts[3], key=f"{parts[3]}/{treated}" if treated else parts[3])


DRIVER = Driver(
    name="roche-cobas-c111",
    recognises=r"\^Roche\^c111\^",
    maker="Roche",
    models=("cobas c 111",),
    evidence=Evidence.MANUAL,
    specimen=Field("O", 4, 1),
    specimen_or=(Field("O", 3, 1),),
    serial=Field("H", 5, 6),
    software=Field("H", 5, 4),
    alarm=Field("C", 4, 1),
    split=split,
    flags={**STANDARD_FLAGS},
    accepts_status=frozenset({"F", "C", "R"}),
    preliminary=frozenset(),
    tests={
        "413": Test("1751-7", "g/L", ("g/dL",), "Albumine"),
        "685": Test("1742-6", "U/L", (), "ALAT"),
        "687": Test("1920-8", "U/L", (), "ASAT"),
    },
)
