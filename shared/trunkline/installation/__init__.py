"""Which databases and which broker belong together (D10.16)."""
