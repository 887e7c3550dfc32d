"""Projections of the service's own log."""
