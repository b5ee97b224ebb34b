"""Cepheid GeneXpert molecular analyzers, HL7 2.5 over MLLP: words in OBX-5.1, numbers in OBX-5.2, codes in subcomponents.

OBX-3 holds panel & test & assay & version as subcomponents, OBX-4 analyte & detail. The OBX with a status is the result of its test; those
without one are details (probe words, Ct, end points). The specimen (SPM-2) stands behind the results, the time of the run in TQ1-8, and
OBX-18 holds expiry, lot, cartridge, module, instrument and computer in its repetitions. A query (Z03) names the specimen in QPD-4. Assays are
known by their names, which are those of the family's LIS02 interface (see its captures there); number format as there.

With `work = "asked"` on its link a query is answered in the reply itself (RSP^Z02). The host test code is each laboratory's own ("Define Test
Code"): what to order is said in the laboratory's own driver file (`order_codes`).

Source: Cepheid, GeneXpert LIS Interface Protocol Specification, 301-2002, revision F (December 2015), whose example messages (software 4.7b)
are in the corpus; not read in the original.
Evidence: manual (corpus:hl7/genexpert/ORU_R30.hl7, corpus:hl7/genexpert/QBP_Z03.hl7, corpus:hl7/genexpert/QCN_J01.hl7).
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Test, TestId
from labmw.quantity import NumberFormat
from protocols.hl7.z03_query import Z03


def is_main(test: TestId, status: str) -> bool:
    """The reportable OBX are those with a status, except the logarithm beside a viral load."""
    return status == "F" and not test.detail


_FOUND = ("DETECTED", "NOT DETECTED")
_POSITIVE = ("POSITIVE", "NEGATIVE")


def _targets(assay: str) -> dict[str, Test]:
    """The targets of the respiratory panels (LOINC: presence of RNA in a respiratory specimen by NAA)."""
    return {
        f"{assay}/SARS-CoV-2": Test("94500-6", name="SARS-CoV-2 ARN", text=True, values=_POSITIVE),
        f"{assay}/Flu A": Test("92142-9", name="Grippe A ARN", text=True, values=_POSITIVE),
        f"{assay}/Flu B": Test("92141-1", name="Grippe B ARN", text=True, values=_POSITIVE),
        f"{assay}/RSV": Test("92131-2", name="VRS ARN", text=True, values=_POSITIVE),
    }


_VIRAL_LOAD = Test("20447-9", "{copies}/mL", name="VIH-1 charge virale", values=_FOUND)

DRIVER = Hl7Driver(
    name="cepheid-genexpert-hl7",
    recognises=r"\^GeneXpert\^",
    maker="Cepheid",
    models=("GeneXpert Dx", "GeneXpert Infinity"),
    evidence=Evidence.MANUAL,
    test=Field("OBX", 3, 1, sub=2),
    assay=Field("OBX", 3, 1, sub=3),
    analyte=Field("OBX", 4, 1),
    detail=Field("OBX", 4, 1, sub=2),
    value=Field("OBX", 5, 1),
    value_or=Field("OBX", 5, 2),
    completed=Field("OBX", 14, 1),
    completed_or=Field("TQ1", 8, 1),
    serial=Field("OBX", 18, 1, repeat=5),
    software=Field("MSH", 3, 3),
    query=Field("QPD", 4, 1),
    asks=Z03,
    order_codes={},
    main=is_main,
    numbers=NumberFormat(decimal=".,", decimals=2),
    no_value=frozenset({"ERROR", "INVALID", "NO RESULT", "NO RESULT - REPEAT TEST"}),
    details={"LOG": {"{copies}/mL": "{Log_copies}/mL", "[IU]/mL": "{Log_IU}/mL"}},
    tests={
        "Xpert HIV-1 Viral Load XC": _VIRAL_LOAD,
        "Xpert_HIV-1 Viral Load": _VIRAL_LOAD,
        "Xpert_HIV-1 Qual/HIV-1": Test("5017-9", name="VIH-1 ARN", text=True, values=_FOUND),
        **_targets("Xpress SARS-CoV-2_Flu_RSV plus"),
        **_targets("Xpress SARS-CoV-2_Flu plus"),
        "Xpress SARS-CoV-2 plus": Test("94500-6", name="SARS-CoV-2 ARN", text=True, values=_POSITIVE),
    },
)
