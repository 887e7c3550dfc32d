"""Bulk assignments over HTTP."""
