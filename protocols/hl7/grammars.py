"""Which segments may a message hold, in which order and groups? One table per message structure.

Reading a table: a mark after a name says how often it may stand, ``?`` at most once, ``*`` any number, ``+`` at least once,
none exactly once. A line that is followed by deeper lines is a group. ``A/B`` is one of the two; ``=part`` stands for the
lines of a part.

Two notes after a group's name decide where the standard leaves it open:

* ``if PID PV1 AL1``: the group only begins with one of these, although the standard makes them optional;
* ``again ORC-1=PR``: a further group of the kind, when it begins with ORC, begins only with this code.

Both are about PRIOR_RESULT: in the tables of the standard an ORC after a prior result is as well the next order. A bare ORC
is the next order here, unless its code says that it is a previous result (table 0119, PR).

Sources: HL7 2.5.1 chapters 2 to 4, 7, 13; ORL_O42 from 2.8; INV after TCD from IHE LAW; SSU_U03 and QBP_Z03 as analyzers
send them. Segments that the tables leave out are the ones of billing and pharmacy.
"""

from __future__ import annotations

PARTS = {
    "patient": """
PATIENT?
  PID PD1? NTE* NK1*
  PATIENT_VISIT?
    PV1 PV2?
  INSURANCE*
    IN1 IN2? IN3?
  GT1? AL1*
""",
    "prior": """
PRIOR_RESULT* if PID PV1 AL1
  PATIENT_PRIOR?
    PID PD1?
  PATIENT_VISIT_PRIOR?
    PV1 PV2?
  AL1*
  ORDER_PRIOR+ again ORC-1=PR
    ORC?
    OBR NTE*
    TIMING_PRIOR*
      TQ1 TQ2*
    OBSERVATION_PRIOR*
      OBX NTE*
""",
    "reply-order": """
ORDER*
  ORC
  TIMING*
    TQ1 TQ2*
  OBSERVATION_REQUEST?
    OBR SPM*
""",
    "adt": """
MSH SFT*
EVN PID PD1? ROL* NK1*
PV1? PV2? ROL* DB1* OBX* AL1* DG1* DRG?
PROCEDURE*
  PR1 ROL*
GT1*
INSURANCE*
  IN1 IN2? IN3* ROL*
ACC? UB1? UB2? PDA?
""",
}
"""What stands in several tables, where they name it with ``=``."""

GRAMMARS: dict[str, str] = {
    # --- queries ---
    "QBP_Q11": "MSH SFT* QPD RCP DSC?",
    "RSP_K11": "MSH SFT* MSA ERR? QAK QPD DSC?",
    "QBP_Z03": "MSH SFT* QPD RCP?",  # Cepheid: query for orders
    "RSP_Z02": "MSH MSA ERR* SFT* QAK? QPD?",
    "QCN_J01": "MSH SFT* QID",
    # --- orders ---
    "OML_O21": """
MSH SFT* NTE*
=patient
ORDER+
  ORC
  TIMING*
    TQ1 TQ2*
  OBSERVATION_REQUEST?
    OBR TCD? NTE* CTD? DG1*
    OBSERVATION*
      OBX TCD? NTE*
    SPECIMEN*
      SPM OBX*
      CONTAINER*
        SAC OBX*
    =prior
  FT1* CTI* BLG?
""",
    "OML_O33": """
MSH SFT* NTE*
=patient
SPECIMEN+
  SPM OBX* SAC* INV*
  ORDER+
    ORC
    TIMING*
      TQ1 TQ2*
    OBSERVATION_REQUEST?
      OBR TCD? NTE* DG1*
      OBSERVATION*
        OBX TCD? NTE*
      =prior
    FT1* CTI* BLG?
""",
    "OML_O35": """
MSH SFT* NTE*
=patient
SPECIMEN+
  SPM OBX*
  CONTAINER+
    SAC
    ORDER+
      ORC
      TIMING*
        TQ1 TQ2*
      OBSERVATION_REQUEST?
        OBR TCD? NTE* DG1*
        OBSERVATION*
          OBX TCD? NTE*
        =prior
      FT1* CTI* BLG?
""",
    "ORM_O01": """
MSH NTE*
PATIENT?
  PID PD1? NTE*
  PATIENT_VISIT?
    PV1 PV2?
  INSURANCE*
    IN1 IN2? IN3?
  GT1? AL1*
ORDER+
  ORC
  ORDER_DETAIL?
    OBR/RQD/RQ1/RXO/ODS/ODT NTE* CTD? DG1*
    OBSERVATION*
      OBX NTE*
  FT1* CTI* BLG?
""",
    # --- replies to orders ---
    "ORL_O22": """
MSH MSA ERR* SFT* NTE*
RESPONSE?
  PATIENT?
    PID
    ORDER+
      ORC
      TIMING*
        TQ1 TQ2*
      OBSERVATION_REQUEST?
        OBR
        SPECIMEN*
          SPM SAC*
""",
    "ORL_O34": """
MSH MSA ERR* SFT* NTE*
RESPONSE?
  PATIENT?
    PID
    SPECIMEN+
      SPM OBX* SAC*
      =reply-order
""",
    "ORL_O36": """
MSH MSA ERR* SFT* NTE*
RESPONSE?
  PATIENT?
    PID
    SPECIMEN+
      SPM OBX*
      CONTAINER+
        SAC
        =reply-order
""",
    "ORL_O42": """
MSH MSA ERR* SFT* NTE*
RESPONSE?
  PATIENT?
    PID
  SPECIMEN+
    SPM OBX* SAC*
    =reply-order
""",
    "ORR_O02": """
MSH MSA ERR? NTE*
RESPONSE?
  PATIENT?
    PID NTE*
  ORDER+
    ORC
    OBR/RQD/RQ1/RXO/ODS/ODT? NTE* CTI*
""",
    # --- results ---
    "OUL_R21": """
MSH SFT* NTE?
PATIENT?
  PID PD1? NTE*
VISIT?
  PV1 PV2?
ORDER_OBSERVATION+
  CONTAINER?
    SAC SID?
  ORC?
  OBR NTE*
  TIMING_QTY*
    TQ1 TQ2*
  OBSERVATION*
    OBX TCD? SID* NTE*
  CTI*
DSC?
""",
    "OUL_R22": """
MSH SFT* NTE?
PATIENT?
  PID PD1? NTE*
VISIT?
  PV1 PV2?
SPECIMEN+
  SPM OBX*
  CONTAINER*
    SAC INV?
  ORDER+
    OBR ORC? NTE*
    TIMING_QTY*
      TQ1 TQ2*
    RESULT*
      OBX TCD? INV* SID* NTE*
    CTI*
DSC?
""",
    "ORU_R01": """
MSH SFT*
PATIENT_RESULT+
  PATIENT?
    PID PD1? NTE* NK1*
    VISIT?
      PV1 PV2?
  ORDER_OBSERVATION+
    ORC?
    OBR NTE*
    TIMING_QTY*
      TQ1 TQ2*
    CTD?
    OBSERVATION*
      OBX NTE*
    FT1* CTI*
    SPECIMEN*
      SPM OBX*
DSC?
""",
    "ORU_R30": """
MSH SFT*
PID PD1? OBX*
VISIT?
  PV1 PV2?
ORC OBR NTE*
TIMING_QTY*
  TQ1 TQ2*
OBSERVATION+
  OBX NTE*
SPM*
""",  # SPM: as Cepheid sends it
    "ACK": "MSH SFT* MSA ERR*",
    # --- identity ---
    "ADT_A01": "=adt",  # also A04, A08
    "ADT_A03": """
MSH SFT*
EVN PID PD1? ROL* NK1*
PV1? PV2? ROL* DB1* AL1* DG1* DRG?
PROCEDURE*
  PR1 ROL*
OBX* GT1*
INSURANCE*
  IN1 IN2? IN3* ROL*
ACC? PDA?
""",
    "ADT_A05": "=adt",  # also A28 and A31
    "ADT_A30": "MSH SFT* EVN PID PD1? MRG",  # A47
    "ADT_A39": """
MSH SFT* EVN
PATIENT+
  PID PD1? MRG PV1?
""",  # A40
    # --- equipment ---
    "SSU_U03": """
MSH SFT* EQU
SPECIMEN_CONTAINER+
  SAC OBX*
  SPECIMEN*
    SPM OBX*
  NTE*
ROL?
""",
}

STRUCTURES = {
    ("QBP", "Q11"): "QBP_Q11",
    ("RSP", "K11"): "RSP_K11",
    ("QBP", "Z03"): "QBP_Z03",
    ("RSP", "Z02"): "RSP_Z02",
    ("QCN", "J01"): "QCN_J01",
    ("OML", "O21"): "OML_O21",
    ("OML", "O33"): "OML_O33",
    ("OML", "O35"): "OML_O35",
    ("ORM", "O01"): "ORM_O01",
    ("ORL", "O22"): "ORL_O22",
    ("ORL", "O34"): "ORL_O34",
    ("ORL", "O36"): "ORL_O36",
    ("ORR", "O02"): "ORR_O02",
    ("OUL", "R21"): "OUL_R21",
    ("OUL", "R22"): "OUL_R22",
    ("ORU", "R01"): "ORU_R01",
    ("ORU", "R30"): "ORU_R30",
    ("ORU", "R31"): "ORU_R30",
    ("ORU", "R32"): "ORU_R30",
    ("ADT", "A01"): "ADT_A01",
    ("ADT", "A03"): "ADT_A03",
    ("ADT", "A04"): "ADT_A01",
    ("ADT", "A08"): "ADT_A01",
    ("ADT", "A28"): "ADT_A05",
    ("ADT", "A31"): "ADT_A05",
    ("ADT", "A40"): "ADT_A39",
    ("ADT", "A47"): "ADT_A30",
    ("SSU", "U03"): "SSU_U03",
}
"""The structure of each message type, where MSH-9.3 names none (before 2.5) or one that is unknown."""

ALTERNATIVES = {("ORL", "O34"): ("ORL_O42",)}
"""Other structures that MSH-9.3 may name: LAW borrows ORL_O42, in which the patient may be missing, from 2.8."""
