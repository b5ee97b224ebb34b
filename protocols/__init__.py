"""Pure state machines and codecs: bytes in, events out, no socket and no clock."""
