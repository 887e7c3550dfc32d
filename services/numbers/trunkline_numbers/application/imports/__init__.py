"""Uploads of numbers: layout, parsing, authorization, run."""
