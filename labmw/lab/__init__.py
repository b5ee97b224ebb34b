"""Inside the laboratory: intake, verification, quarantine."""
