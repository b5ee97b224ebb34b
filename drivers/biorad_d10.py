"""Bio-Rad D-10 haemoglobin analyzers, E1394 over RS-232 or TCP: every peak of a chromatogram, its area and its name in R.3.

R.3 is ^^^peak^AREA: A1c is the result, the other peaks (A2, F, A0 and their kin) are details of the same run. Where the tube's identifier stands (O.3 or a
part of O.4) differs between the messages that we have seen: O.3 is read, and a laboratory looks at its own. The scale of A1c is not said beside the
number: it is not mapped.

Orders are not declared: the analyzer reads its barcodes itself, and is asked for results.

Source: messages of a D-10 (headers D10^07^3.00 and D10^02^3.0) quoted in public documents of integrators. No document of the maker was read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field, TestId


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^peak^AREA; only A1c is a result of its own."""
    name = components[3] if len(components) > 3 else components[0]
    return TestId(name, main=name.casefold() == "a1c")


DRIVER = Driver(
    name="biorad-d10",
    recognises=r"^D-?10\^",
    maker="Bio-Rad",
    models=("D-10",),
    evidence=Evidence.UNVERIFIED,
    software=Field("H", 5, 3),
    split=split,
)
