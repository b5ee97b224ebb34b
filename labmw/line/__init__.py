"""Between a wire and a message: transport, conversation, journal, registry."""
