"""Horiba Yumizen H500 and H550 blood cell counters, LIS02-A2 over TCP: one record per frame, arrays in M records.

The analyzer sends LOINC codes itself (R.3.5); they are compared with the ones here, and a difference goes to quarantine. Alarms on the
whole sample come in a comment after the order. Status W (validity questionable) is held.

An order names a panel: DIF is the only one that a source shows, and it measures all of them: what was not ordered goes to
quarantine. L ends without a code. How a host says that there is no work
we have not read: L.3 = I, as the standard has it.

Source: the captures below, read field by field; test identifiers and LOINC codes are the analyzer's own.
Evidence: capture (corpus:astm/yumizen-h500/h500-2020-04-07.astm, corpus:astm/yumizen-h550/result.astm).
"""

from labmw.driver.declaration import Control, Driver, Evidence, Field, Test
from labmw.driver.ordering import OrderDialect

_COUNT = ("10*9/L",)  # the same number of cells, where a laboratory has chosen SI units (G/L)
_CELLS = ("10*12/L",)

_TESTS = {
    "WBC": Test("6690-2", "10*3/uL", _COUNT, "Leucocytes"),
    "RBC": Test("789-8", "10*6/uL", _CELLS, "Hématies"),
    "HGB": Test("718-7", "g/dL", ("g/L",), "Hémoglobine"),
    "HCT": Test("4544-3", "%", ("L/L",), "Hématocrite"),
    "MCV": Test("787-2", "um3", ("fL",), "VGM"),
    "MCH": Test("785-6", "pg", (), "TCMH"),
    "MCHC": Test("786-4", "g/dL", ("g/L",), "CCMH"),
    "RDW-CV": Test("788-0", "%", (), "IDR-CV"),
    "RDW-SD": Test("21000-5", "um3", ("fL",), "IDR-SD"),
    "PLT": Test("777-3", "10*3/uL", _COUNT, "Plaquettes"),
    "MPV": Test("32623-1", "um3", ("fL",), "VPM"),
    "PCT": Test("51637-7", "%", (), "Thrombocrite"),
    "PDW": Test("51631-0", "um3", ("fL",), "IDP"),
    "P-LCR": Test("48386-7", "%", (), "Grandes plaquettes"),
    "NEU#": Test("751-8", "10*3/uL", _COUNT, "Neutrophiles"),
    "NEU%": Test("770-8", "%", (), "Neutrophiles %"),
    "LYM#": Test("731-0", "10*3/uL", _COUNT, "Lymphocytes"),
    "LYM%": Test("736-9", "%", (), "Lymphocytes %"),
    "MON#": Test("742-7", "10*3/uL", _COUNT, "Monocytes"),
    "MON%": Test("5905-5", "%", (), "Monocytes %"),
    "EOS#": Test("711-2", "10*3/uL", _COUNT, "Éosinophiles"),
    "EOS%": Test("713-8", "%", (), "Éosinophiles %"),
    "BAS#": Test("704-7", "10*3/uL", _COUNT, "Basophiles"),
    "BAS%": Test("706-2", "%", (), "Basophiles %"),
    "LIC#": Test("55432-9", "10*3/uL", _COUNT, "Grandes cellules immatures"),
    "LIC%": Test("55433-7", "%", (), "Grandes cellules immatures %"),
}

DRIVER = Driver(
    name="horiba-yumizen-h500",
    recognises=r"^H5[05]0\^",
    maker="Horiba",
    models=("Yumizen H500", "Yumizen H550"),
    evidence=Evidence.CAPTURE,
    completed_or=Field("R", 12),  # R.13 is empty in both captures; R.12 is the time of the run
    loinc_sent=Field("R", 3, 5),
    serial=Field("H", 5, 2),
    software=Field("H", 5, 3),
    control=Control(descriptor=r"^CTRL"),
    material=(Field("O", 16, 1),),
    materials=frozenset({"BLOOD"}),
    unreported=frozenset({"P-LCC"}),  # sent without a LOINC code
    orders=OrderDialect(
        header={5: "{host}", 12: "P", 13: "LIS2-A2", 14: "{now}"},
        order={3: "{specimen}", 5: "^^^{code}", 6: "{priority}", 7: "{now}", 12: "{action}", 26: "{report}"},
        codes=dict.fromkeys((test.loinc for test in _TESTS.values()), "DIF"),
        cancel="",
        end_of_answer="",
        end_unasked="",
        priorities={"S": "S", "R": "R"},
        sources={
            "O.3 O.6 O.7 O.12 O.26 L.3 H": "a public host program for Yumizen H500 and H550, whose one order record it is",
            "O.5": "the same; the analyzers write the panel in that place of their own messages too (captures)",
        },
    ),
    tests=_TESTS,
)
