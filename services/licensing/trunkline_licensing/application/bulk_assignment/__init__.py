"""Bulk assignments of people: layouts, preflight, run."""
