"""Dirui BF-6900 blood cell counters, ORU^R01 of HL7 2.4: barcode in OBR-3, one number and one name for each parameter in OBX-3.

Other software numbers the same parameters otherwise, one place down: 2007 is V_WBC here and another count there, 2018 red cells here and
haemoglobin there. A result is therefore known by number and name together (2007^V_WBC), and a pair that is not the document's goes to
quarantine. OBR-2 is the analyzer's own count of samples, never an identifier. Modes, reference group, age, remarks and pictures are details.
Quality control (OBR-4 1002 and 1004, without units) is kept and shown, and never reported: its OBR-3 is a lot.

Source: Dirui, BF-6900 User Manual, appendix "Network Communication Interface Protocol", version 1.1 (HL7 2.4), as transcribed in public
code: tables of MSH, OBR and OBX (A.4), coding definitions of OBR-4 and OBX-3, message examples 1 to 3. That another software counts
otherwise: a second public transcription, for HL7 2.3.1. The tables were read; their page numbers are not told.
Evidence: manual.
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Test, TestId


def split(components: tuple[str, ...]) -> TestId:
    """OBX-3: number^name; both must be the document's. Names of measured parameters begin with V_."""
    code, name = (*components, "", "")[:2]
    return TestId(code, f"{code}^{name}", main=name not in _TOLD)


_TOLD = frozenset({"MODE", "MODE_EX", "Ref", "Age", "Note", "Level"})
_COUNT = ("10*3/uL",)

DRIVER = Hl7Driver(
    name="dirui-bf6900",
    recognises=r"^ ?BF-6900\|",
    maker="Dirui",
    models=("BF-6900", "CelQuant 5 Plus"),
    evidence=Evidence.MANUAL,
    serial=Field("MSH", 4, 1),
    specimen=Field("OBR", 3, 1),
    specimen_or=(),
    completed_or=Field("OBR", 7, 1),
    unreported_types=frozenset({"IS", "ED"}),
    unreported_orders=frozenset({"1002", "1004"}),
    split=split,
    tests={
        "2007^V_WBC": Test("6690-2", "10*9/L", _COUNT, "Leucocytes"),
        "2008^V_BAS_c": Test("704-7", "10*9/L", _COUNT, "Basophiles"),
        "2009^V_NEU_c": Test("751-8", "10*9/L", _COUNT, "Neutrophiles"),
        "2010^V_EOS_c": Test("711-2", "10*9/L", _COUNT, "Éosinophiles"),
        "2011^V_LYM_c": Test("731-0", "10*9/L", _COUNT, "Lymphocytes"),
        "2012^V_MON_c": Test("742-7", "10*9/L", _COUNT, "Monocytes"),
        "2013^V_BAS_p": Test("706-2", "%", name="Basophiles %"),
        "2014^V_NEU_p": Test("770-8", "%", name="Neutrophiles %"),
        "2015^V_EOS_p": Test("713-8", "%", name="Éosinophiles %"),
        "2016^V_LYM_p": Test("736-9", "%", name="Lymphocytes %"),
        "2017^V_MON_p": Test("5905-5", "%", name="Monocytes %"),
        "2018^V_RBC": Test("789-8", "10*12/L", ("10*6/uL",), "Hématies"),
        "2019^V_HGB": Test("718-7", "g/L", ("g/dL",), "Hémoglobine"),
        "2020^V_MCV": Test("787-2", "fL", name="VGM"),
        "2021^V_MCH": Test("785-6", "pg", name="TCMH"),
        "2022^V_MCHC": Test("786-4", "g/L", ("g/dL",), "CCMH"),
        "2023^V_RDW_CV": Test("788-0", "%", name="IDR-CV"),
        "2024^V_RDW_SD": Test("21000-5", "fL", name="IDR-SD"),
        "2025^V_HCT": Test("4544-3", "%", name="Hématocrite"),
        "2026^V_PLT": Test("777-3", "10*9/L", _COUNT, "Plaquettes"),
        "2027^V_MPV": Test("32623-1", "fL", name="VPM"),
        "2028^V_PDW": Test("32207-3", "fL", name="IDP"),
        "2029^V_PCT": Test("51637-7", "%", name="Thrombocrite"),
        "2030^V_P_LCR": Test("48386-7", "%", name="Grandes plaquettes"),
    },
)
