"""Stago STA coagulation analyzers (STA Compact, STA-R, STA Satellite), E1394 over RS-232 or TCP: numbers for methods, and a header of numbers.

The sender calls itself 99^2.00, or its model with 99^3.00 behind it; the order names the specimen and no test. R.3.4 is the number of a method: those of
one published message are here, a laboratory confirms them on its own analyzer. An M record behind each result says where it stands; there is no
completion time. A prothrombin time is sent several times, in seconds, in percent, as ratio and as INR, each under a number of its own.

An order names the methods in one record, R, and no action; a host calls itself 99^2.00 as the analyzer does. No work: not read anywhere.

Source: a message of an STA (2023: methods 1 to 5 and 7 with their units) found in public code; four public host programs for STA Compact and STA
Satellite, for the order record. No document was read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Test
from labmw.driver.ordering import OrderDialect

_HOSTS = "four public host programs for STA Compact and STA Satellite, which agree"

DRIVER = Driver(
    name="stago-sta",
    recognises=r"^(?:STA[ -][^^]*\^)?99\^[23]\.00",
    maker="Stago",
    models=("STA Compact", "STA Compact Max", "STA-R Max", "STA Satellite"),
    evidence=Evidence.UNVERIFIED,
    units={"sec": "s", "INR": "{INR}", "Ratio": "{ratio}", "mg/dl": "mg/dL"},
    orders=OrderDialect(
        header={5: "99^2.00", 12: "P", 13: "1.00", 14: "{now}"},
        patient={6: "{family}^{given}^^"},
        order={3: "{specimen}", 5: "^^^{code}", 6: "R"},
        tests="tube",
        cancel="",
        end_of_answer="N",
        sources={"H O P.6 L.3 tests": _HOSTS},
    ),
    tests={
        "1": Test("5894-1", "%", name="Taux de prothrombine"),
        "2": Test("6301-6", "{INR}", name="INR"),
        "4": Test("5902-2", "s", name="Temps de Quick"),
        "5": Test("14979-9", "s", name="TCA"),
        "7": Test("3255-7", "mg/dL", ("g/L",), "Fibrinogène"),
    },
)
