"""How do analyzers send that speak neither ASTM frames nor HL7? One pure machine for each kind of link, each with its table and drawing."""
