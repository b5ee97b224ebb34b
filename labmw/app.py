"""Build every part from the configuration and run it: the only place where parts meet."""
