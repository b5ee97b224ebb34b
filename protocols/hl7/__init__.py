"""HL7 version 2: MLLP blocks, segments and fields, acknowledgments."""
