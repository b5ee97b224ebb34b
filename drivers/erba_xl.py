"""Erba XL clinical chemistry analyzers, E1394-97 over RS-232 or TCP: a backtick repeats, the header names nobody.

Test codes are typed in by each laboratory; those of the captures are here, a laboratory replaces this file by its own. NA in R.4 means
that there is no value, with a unit beside it that is not even the test's.

Orders as the vendor's example writes them (MBDC_Online: a backtick repeats, O.3.2 is the tube's type and stays empty, action A, Serum, one frame
for the whole message). "No work" is shown by no document that we read, and said as LIS02-A2 does.

Source: the captures below (published by nishishailesh/astm_general), read field by field; the orders are those of the vendor's example message
(astm/host-download/one_sample.astm of the corpus), which the same author's host program for an XL 1000 follows.
Evidence: capture (corpus:astm/erba-xl/2020-09-28-13-30-07-568972.astm, corpus:astm/erba-xl/2020-09-28-13-36-02-964590.astm, corpus:astm/erba-xl/multisamplequery.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test
from labmw.driver.ordering import OrderDialect
from protocols.astm.record import Delimiters
from protocols.astm.tolerance import Tolerances

DRIVER = Driver(
    name="erba-xl",
    maker="Erba Mannheim",
    models=("XL 640", "XL 1000"),
    evidence=Evidence.CAPTURE,
    no_value=frozenset({"NA"}),
    material=(Field("O", 16, 1),),
    materials=frozenset({"SERUM"}),
    tolerances=Tolerances(packing="message"),
    orders=OrderDialect(
        delimiters=Delimiters("|", "`", "^", "&"),
        header={5: "{host}"},
        patient={3: "{patient}", 6: "{family}^{given}", 8: "{birth}", 9: "{sex}"},
        order={3: "{specimen}^", 5: "^^^{code}", 6: "{priority}", 8: "{collected}", 12: "{action}", 16: "{material}"},
        new="A",
        end_of_answer="N",
        materials={"": "Serum", "SER": "Serum"},
        sources={"H P O L.3": "the vendor's example message: corpus:astm/host-download/one_sample.astm"},
        frame=1000,  # the whole message in one frame of at most 1024
    ),
    tests={
        "GLCC": Test("2345-7", "mg/dL", ("g/L",), "Glucose"),
        "CRR": Test("2160-0", "mg/dL", ("mg/L",), "Créatinine"),
        "ALTT": Test("1742-6", "U/L", (), "ALAT"),
        "TBILL": Test("1975-2", "mg/dL", ("mg/L",), "Bilirubine totale"),
        "DBILL": Test("1968-7", "mg/dL", ("mg/L",), "Bilirubine conjuguée"),
        "ALBB": Test("1751-7", "g/dL", ("g/L",), "Albumine"),
        "CKK": Test("2157-6", "U/L", (), "CK"),
    },
)
