"""Abbott ARCHITECT immunoassay and chemistry analyzers, E1394 over RS-232: result, interpretation and raw signal are told apart in R.3.11.

R.3 is ^^^number^name^dilution^version^lot^serial^control lot^kind. Kind F is the result, I its interpretation, P the signal (RLU, Abs, mV):
the last two are details. A dilution protocol other than UNDILUTED or STANDARD, and a correlation version (C), are other keys and go to
quarantine. Several flags stand as components of R.7 (EXP^<). Status R was sent before; an order that failed has O.26 = X. Controls have
action Q. Assay numbers are Abbott's, assay files change with kits: only what a document shows is mapped.

An order names the assay number alone, without leading zeros, several in one record; the collection time is in O.8, the action A, O.26 Q, and L ends
without a code. No work: the query comes back with X in Q.13.

Source: Abbott Standard Interface RS-232 Manual, ARCHITECT System, 91407 revision 106 (July 2008), its records by the field numbers of E1394
(result type: § 10.1.3), as restated in public code with its examples (0241 TSH); messages of an i1SR and an i2000 found in public code. Not
read in the original.
Evidence: restated.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.driver.ordering import NoWork, OrderDialect
from labmw.model import Flag

_MANUAL = "example of the manual as two public host programs for ARCHITECT quote it (MCC1: ^^^16, ^^^606, action A, Q)"
_HOSTS = "two public host programs for ARCHITECT, which agree; a third has F in L.3"

_PLAIN = frozenset({"", "UNDILUTED", "STANDARD"})


def split(components: tuple[str, ...]) -> TestId:
    """R.3: the key is number/name of an undiluted primary version; leading zeros of the number are the manual's, not the analyzer's."""
    parts = (*components, *[""] * 11)
    number, name, dilution, version, kind = parts[3], parts[4], parts[5], parts[6], parts[10]
    named = [number.lstrip("0"), name, "" if dilution in _PLAIN else dilution, "" if version in {"", "P"} else version]
    detail = "" if kind in {"", "F"} else kind
    return TestId(number, "/".join(text for text in named if text) or "-", detail, main=not detail)


DRIVER = Driver(
    name="abbott-architect",
    recognises=r"^ARCHITECT\^",
    maker="Abbott",
    models=("ARCHITECT i1000SR", "ARCHITECT i2000SR", "ARCHITECT c4000", "ARCHITECT c8000"),
    evidence=Evidence.RESTATED,
    serial=Field("H", 5, 3),
    software=Field("H", 5, 2),
    split=split,
    orders=OrderDialect(
        header={12: "P", 13: "1"},
        patient={4: "{patient}", 6: "{family}^{given}", 8: "{birth}", 9: "{sex}"},
        order={3: "{specimen}", 5: "^^^{code}", 6: "{priority}", 8: "{collected}", 12: "{action}", 26: "{report}"},
        codes={"3016-3": "241"},
        new="A",
        cancel="",
        unable="",
        end_of_answer="",
        end_unasked="",
        nothing=NoWork.QUERY,
        priorities={"S": "S", "R": "R"},
        sources={
            "O.3 O.5 O.8 O.12 O.26": _MANUAL,
            "H P.4 O.6 L.3": _HOSTS,
            "no-work": "two public host programs for ARCHITECT: Q.13 = X says that there is no order for it",
        },
    ),
    flags={
        "LOW": Flag.LOW,
        "HIGH": Flag.HIGH,
        "LL": Flag.CRITICAL_LOW,
        "HH": Flag.CRITICAL_HIGH,
        "<": Flag.BELOW_RANGE,
        ">": Flag.ABOVE_RANGE,
    },  # EXP, EDIT, CNTL, CORR and their kin stay unknown: a person looks
    accepts_status=frozenset({"F", "R"}),
    preliminary=frozenset(),
    tests={"241/TSH": Test("3016-3", "u[IU]/mL", ("m[IU]/L",), "TSH")},
)
