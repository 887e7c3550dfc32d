"""The HTTP client of the commands and its settings."""
