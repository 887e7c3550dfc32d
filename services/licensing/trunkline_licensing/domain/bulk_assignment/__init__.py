"""Bulk assignments of people."""
