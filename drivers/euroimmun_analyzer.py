"""Euroimmun microplate analyzers (EUROIMMUN Analyzer I), LIS02-A2 records: the specimen is in P.4, the header names nobody.

The specimen is looked for in O.3 first, where the standard has it, then in P.4, blanks at its ends taken off. Numbers have a decimal comma
and at most two digits behind it; `>8` is above what the assay measures. A ratio to the calibrator is no concentration: which LOINC code
holds for it depends on the kit, so no code is mapped here, and every result goes to quarantine until a laboratory's own file says so.
There is no completion time; two runs of one test cannot be told apart, and a repeat is a person's business.

Orders are not declared: nothing that we read shows a host's order to this family.

Source: the capture below (published by blutspende/go-parser as of an Analyzer 1, version 10), read field by field.
Evidence: capture (corpus:astm/euroimmun/sampleigg.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field
from labmw.quantity import NumberFormat

DRIVER = Driver(
    name="euroimmun-analyzer",
    maker="Euroimmun",
    models=("Analyzer I",),
    evidence=Evidence.CAPTURE,
    specimen_or=(Field("P", 4),),
    numbers=NumberFormat(decimal=",", decimals=2),
    units={"Ratio": "{Ratio}"},
)
