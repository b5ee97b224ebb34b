"""Auto-validation: checks, packs and the engine that turns a result into a verdict."""
