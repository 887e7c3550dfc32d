"""A running service: its composition, loops and their supervision, transports, status."""
