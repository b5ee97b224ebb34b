"""What is field n of a segment called? The names of HL7 2.5.1, and of the later fields that LAW takes, for people who read messages."""

from __future__ import annotations

_TITLES = """
MSH Message header
SFT Software
MSA Message acknowledgment
ERR Error
QPD Query parameters
RCP Response control
QAK Query acknowledgment
QID Query identification
EVN Event
PID Patient identification
PD1 Additional demographics
MRG Merged patient
NK1 Next of kin
PV1 Patient visit
PV2 Additional visit information
AL1 Allergy
IN1 Insurance
ORC Common order
TQ1 Timing and priority
OBR Observation request
TCD Test code detail
OBX Observation
NTE Note
SPM Specimen
SAC Specimen container
SID Substance
INV Inventory
EQU Equipment
DSC Continuation
BHS Batch header
BTS Batch trailer
FHS File header
FTS File trailer
"""

_FIELDS = {
    "MSH": "Field separator|Encoding characters|Sending application|Sending facility|Receiving application|Receiving facility"
    "|Time of message|Security|Message type|Control id|Processing id|Version|Sequence number|Continuation pointer"
    "|Accept acknowledgment|Application acknowledgment|Country|Character set|Language|Character set handling|Profile",
    "SFT": "Vendor|Version|Product|Binary id|Information|Installed",
    "MSA": "Acknowledgment code|Control id of the message|Text|Expected sequence number|Delayed acknowledgment|Error condition",
    "ERR": "Error (before 2.5)|Location|Error code|Severity|Application error code|Application parameter|Diagnostics"
    "|Message to the user|Inform person|Override type|Override reason|Help desk",
    "QPD": "Query name|Query tag|Container|Rack|Position in rack|Tray|Position in tray|Location|Parameter 9|Parameter 10"
    "|Parameter 11|Parameter 12",
    "RCP": "Query priority|Quantity limit|Response modality|Execution time|Modify indicator|Sort by|Segment groups",
    "QAK": "Query tag|Response status|Query name|Hit count|Payload|Hits remaining",
    "QID": "Query tag|Query name",
    "EVN": "Event type|Recorded|Planned|Reason|Operator|Occurred|Facility",
    "PID": "Set id|Patient id (old)|Identifiers|Alternate id (old)|Name|Mother's maiden name|Birth|Sex|Alias|Race|Address|County"
    "|Phone home|Phone business|Language|Marital status|Religion|Account number|SSN|Driver's license|Mother's identifier"
    "|Ethnic group|Birth place|Multiple birth|Birth order|Citizenship|Veteran|Nationality|Death|Death indicator"
    "|Identity unknown|Identity reliability|Last update|Last update facility|Species|Breed|Strain|Production class|Tribe",
    "MRG": "Prior identifiers|Prior alternate id|Prior account number|Prior patient id|Prior visit number"
    "|Prior alternate visit id|Prior name",
    "PV1": "Set id|Class|Location|Admission type|Preadmit number|Prior location|Attending doctor|Referring doctor"
    "|Consulting doctor|Hospital service|Temporary location|Preadmit test|Re-admission|Admit source|Ambulatory status|VIP"
    "|Admitting doctor|Patient type|Visit number|Financial class",
    "ORC": "Order control|Placer number|Filler number|Group number|Order status|Response flag|Quantity and timing|Parent"
    "|Time of transaction|Entered by|Verified by|Ordering provider|Enterer's location|Call back phone|Effective time"
    "|Control code reason|Entering organisation|Entering device|Action by|Beneficiary notice|Ordering facility"
    "|Facility address|Facility phone|Provider address|Status modifier",
    "TQ1": "Set id|Quantity|Repeat pattern|Explicit time|Relative time|Service duration|Start|End|Priority|Condition|Instruction",
    "OBR": "Set id|Placer number (AWOS id)|Filler number|Test|Priority (old)|Requested time (old)|Collected|Collection end"
    "|Collection volume|Collector|Action code|Danger code|Clinical information|Specimen received|Specimen source"
    "|Ordering provider|Call back phone|Placer field 1|Placer field 2|Filler field 1|Filler field 2|Results reported"
    "|Charge|Section|Result status|Parent result|Quantity and timing (old)|Copies to|Parent|Transport|Reason"
    "|Interpreter|Assistant|Technician|Transcriptionist|Scheduled|Number of containers|Logistics|Collector's comment",
    "TCD": "Test|Auto-dilution factor|Rerun dilution factor|Pre-dilution factor|Endogenous content|Automatic repeat|Reflex allowed"
    "|Repeat status|Specimen volume",
    "OBX": "Set id|Value type|Observation|Run (sub-id)|Value|Unit|Reference range|Flags|Probability|Nature of test|Status"
    "|Effective date of range|Access checks|Observed|Producer|Responsible observer|Method|Equipment|Analysed"
    "|Observation site|Instance id|Mood|Performing organisation|Organisation address|Medical director"
    "|Patient results release|Root cause|Local process control|Observation type|Observation sub-type",
    "NTE": "Set id|Source|Comment|Type",
    "SPM": "Set id|Specimen id|Parent ids|Type|Type modifier|Additives|Collection method|Source site|Site modifier"
    "|Collection site|Role|Amount|Grouped count|Description|Handling|Risk|Collected|Received|Expires|Available"
    "|Reject reason|Quality|Appropriateness|Condition|Current quantity|Number of containers|Container type"
    "|Container condition|Child role|Accession id|Other id|Shipment id",
    "SAC": "External accession|Accession|Container|Primary container|Equipment container|Specimen source|Registered|Status"
    "|Carrier type|Carrier|Position in carrier|Tray type|Tray|Position in tray|Location|Height|Diameter|Barrier delta"
    "|Bottom delta|Units of height|Container volume|Available volume|Initial volume|Units of volume|Separator type|Cap type"
    "|Additive|Specimen component|Dilution factor|Treatment|Temperature",
    "SID": "Test or method|Lot|Container|Manufacturer",
    "INV": "Substance|Status|Type|Container|Carrier|Position|Initial quantity|Current quantity|Available quantity"
    "|Consumption|Unit|Expiry|First used|On board|Test|Lot|Manufacturer|Supplier",
    "EQU": "Equipment|Time of event|State|Local or remote|Alert level",
    "DSC": "Continuation pointer|Continuation style",
    "BHS": "Field separator|Encoding characters|Sending application|Sending facility|Receiving application|Receiving facility"
    "|Time|Security|Name|Comment|Control id|Reference",
    "BTS": "Message count|Comment|Totals",
    "FTS": "Batch count|Comment",
}

TITLES = {line[:3]: line[4:] for line in _TITLES.strip().splitlines()}
"""What a segment is called."""

_NAMES = {name: ("", *fields.split("|")) for name, fields in _FIELDS.items()}
_NAMES["FHS"] = _NAMES["BHS"]


def field_name(segment: str, n: int) -> str:
    """What field n of a segment is called; empty when it is not known."""
    names = _NAMES.get(segment, ())
    return names[n] if 0 < n < len(names) else ""
