"""Reactions to time and to the service's own log."""
