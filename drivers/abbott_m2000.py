"""Abbott m2000 molecular analyzers, E1394 over TCP or RS-232: three records for each assay, told apart by the last component of R.3.

F is the result, I its interpretation in words, P the cycle number (-1.00 where there was none): the last two are details. A viral load is a
number of copies, `< 40`, or the words Not detected. An order that ended in an error has O.26 = X and no result. Controls are sent as
specimens named after the run; they are controls where the laboratory has registered them as materials. Empty sessions are this family's way
of asking whether somebody is there.

Orders are not declared: nothing that we read shows a host's order to this family.

Source: the captures below (software 8.1), read field by field; LOINC 20447-9 is the quantity of HIV-1 RNA in copies per millilitre.
Evidence: capture (corpus:astm/m2000/run-8-samples.astm, corpus:astm/m2000/run-8-samples-with-empty-sessions.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^assay^name^lot^serial^^kind; kind F, or none, is the result."""
    parts = (*components, *[""] * 9)
    kind = parts[8]
    return TestId(code=parts[3], detail="" if kind == "F" else kind, main=kind in {"", "F"})


DRIVER = Driver(
    name="abbott-m2000",
    recognises=r"^m2000(?:rt|sp)?\^",
    maker="Abbott",
    models=("m2000rt",),
    evidence=Evidence.CAPTURE,
    serial=Field("H", 5, 3),
    software=Field("H", 5, 2),
    split=split,
    units={"Log (Copies / mL)": "{Log_copies}/mL"},
    tests={
        "HIV0.6ml": Test("20447-9", "{copies}/mL", name="VIH-1 charge virale", values=("Not detected",)),
    },
)
