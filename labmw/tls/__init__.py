"""TLS on lines and towards the LIS: what is configured, which certificates, which contexts, and what a failed handshake means."""
