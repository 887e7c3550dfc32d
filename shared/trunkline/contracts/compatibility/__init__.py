"""Comparison of two releases of the contracts."""
