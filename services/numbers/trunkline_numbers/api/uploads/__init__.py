"""Uploads of numbers over HTTP."""
