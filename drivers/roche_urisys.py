"""Roche Urisys 1100 urine strip readers, E1394 over RS-232: number^parameter in R.3, neg and norm for what is not there.

The parameter is the second component of R.3 (01^SG), the word or number the first of R.4; LEU and ERY have a unit of their own (Leu/uL). O.3 is the tube.
A word is a result in words: which of them a strip may send, and in which unit its number is, differs by strip and setting, and none is mapped. The header
of a cobas u 411 was not seen: such a link names this driver, or any_astm.

Orders are not declared: it takes none that we have read of.

Source: one message of a URISYS1100 among the samples of a public host program that serves it. No document was read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field

DRIVER = Driver(
    name="roche-urisys",
    recognises=r"^URISYS ?1100\^",
    maker="Roche",
    models=("Urisys 1100",),
    evidence=Evidence.UNVERIFIED,
    test=Field("R", 3, 2),
    value=Field("R", 4, 1),
    software=Field("H", 5, 2),
)
