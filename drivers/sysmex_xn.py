"""Sysmex XN and XN-L blood cell counters, E1394-97 over RS-232 or TCP: the specimen is in O.4.3, the parameter in R.3.5.

A measured parameter has a dilution ratio behind its name (^^^^WBC^1); what has none is a message of the analyzer (suspicions, pictures),
kept as a detail and never reported. Flags: W low reliability, A analysis or hardware error, > outside linearity, LL and HH beyond the
panic limits. Status I, P and N: the analyzer's rules want a repeat, a rerun or a question first.

A query is answered with rack^tube^specimen^attribute as in Q.3, blanks and all, in O.3, and L.3 = N. An order that nobody asked for names the
specimen alone.

Source: Sysmex, XN-L series ASTM Host Interface Specifications, R315005, revision 6 (June 2017), 10.1.3 and p. 28 (analysis parameter ID,
dilution ratio), and XN series ASTM Host Interface Specifications, R314185, revision 25 (April 2018), revision history p. 2 (4.3.3.5 result
record: panic flags, status by repeat and rerun rules), both as quoted in public; checked against the XN-550 message that senaite.astm
publishes (tests/data/sysmex_xn550.txt). The order record of a reply as a
host program found in public code quotes it from the manual. Not read in the original.
Evidence: manual (and a published capture: tests/captures/sysmex-xn/published.toml).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.driver.ordering import OrderDialect
from labmw.model import Flag


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^^parameter^dilution^result type^extended result; without a dilution it is no measurement."""
    parts = (*components, *[""] * 8)
    return TestId(code=parts[4], detail=parts[7], main=parts[5] in {"1", "5"})


_COUNT = ("10*9/L",)

DRIVER = Driver(
    name="sysmex-xn",
    recognises=r"^\s*XN-\d",
    maker="Sysmex",
    models=("XN-1000", "XN-2000", "XN-3000", "XN-10", "XN-20", "XN-350", "XN-450", "XN-550"),
    evidence=Evidence.MANUAL,
    specimen=Field("O", 4, 3),
    test=Field("R", 3, 5),
    ordered=Field("O", 5, 5, bare=True),
    query=Field("Q", 3, 3),
    specimen_or=(Field("O", 3, 3),),  # where a host writes it
    orders=OrderDialect(
        header={5: "{host}", 13: "{version}"},
        patient={4: "{patient}", 6: "^{given}^{family}", 8: "{birth}", 9: "{sex}"},
        order={3: "{q1}^{q2}^{specimen}^{q4}", 5: "^^^^{code}", 7: "{ordered}", 12: "{action}", 26: "{report}"},
        tests="tube",
        rack=1,
        position=2,
        end_of_answer="N",
        cancel="",
        sources={
            "O.3 O.5 O.12 O.26 P.6 L.3 tests": "the order record of a reply as a public host program quotes it from the manual",
            "H": "the same; H.5 and H.13 alone",
        },
    ),
    serial=Field("H", 5, 3),
    software=Field("H", 5, 2),
    split=split,
    flags={
        "L": Flag.LOW,
        "H": Flag.HIGH,
        "LL": Flag.CRITICAL_LOW,
        "HH": Flag.CRITICAL_HIGH,
        ">": Flag.ABOVE_RANGE,
        "N": Flag.NORMAL,
        "A": Flag.INSTRUMENT_ERROR,
        "W": Flag.REVIEW,
    },
    accepts_status=frozenset({"F"}),
    preliminary=frozenset({"I", "P", "N"}),
    unreported=frozenset({"LFR", "MFR", "HFR", "IPF#", "HYPO-He", "HYPER-He", "MicroR", "MacroR", "Delta-He"}),
    tests={
        "WBC": Test("6690-2", "10*3/uL", _COUNT, "Leucocytes"),
        "RBC": Test("789-8", "10*6/uL", ("10*12/L",), "Hématies"),
        "HGB": Test("718-7", "g/dL", ("g/L",), "Hémoglobine"),
        "HCT": Test("4544-3", "%", ("L/L",), "Hématocrite"),
        "MCV": Test("787-2", "fL", (), "VGM"),
        "MCH": Test("785-6", "pg", (), "TCMH"),
        "MCHC": Test("786-4", "g/dL", ("g/L",), "CCMH"),
        "RDW-SD": Test("21000-5", "fL", (), "IDR-SD"),
        "RDW-CV": Test("788-0", "%", (), "IDR-CV"),
        "PLT": Test("777-3", "10*3/uL", _COUNT, "Plaquettes"),
        "MPV": Test("32623-1", "fL", (), "VPM"),
        "PDW": Test("32207-3", "fL", (), "IDP"),
        "P-LCR": Test("48386-7", "%", (), "Grandes plaquettes"),
        "PCT": Test("51637-7", "%", (), "Thrombocrite"),
        "NEUT#": Test("751-8", "10*3/uL", _COUNT, "Neutrophiles"),
        "NEUT%": Test("770-8", "%", (), "Neutrophiles %"),
        "LYMPH#": Test("731-0", "10*3/uL", _COUNT, "Lymphocytes"),
        "LYMPH%": Test("736-9", "%", (), "Lymphocytes %"),
        "MONO#": Test("742-7", "10*3/uL", _COUNT, "Monocytes"),
        "MONO%": Test("5905-5", "%", (), "Monocytes %"),
        "EO#": Test("711-2", "10*3/uL", _COUNT, "Éosinophiles"),
        "EO%": Test("713-8", "%", (), "Éosinophiles %"),
        "BASO#": Test("704-7", "10*3/uL", _COUNT, "Basophiles"),
        "BASO%": Test("706-2", "%", (), "Basophiles %"),
        "IG#": Test("53115-2", "10*3/uL", _COUNT, "Granulocytes immatures"),
        "IG%": Test("71695-1", "%", (), "Granulocytes immatures %"),
        "NRBC#": Test("771-6", "10*3/uL", _COUNT, "Érythroblastes"),
        "NRBC%": Test("58413-6", "%", (), "Érythroblastes %"),
        "RET#": Test("60474-4", "10*6/uL", ("10*12/L", "10*3/uL", "10*9/L"), "Réticulocytes"),
        "RET%": Test("17849-1", "%", (), "Réticulocytes %"),
        "IRF": Test("33516-6", "%", (), "Réticulocytes immatures"),
        "RET-He": Test("71694-4", "pg", (), "Hémoglobine réticulocytaire"),
        "IPF": Test("71693-6", "%", (), "Plaquettes immatures"),
    },
)
