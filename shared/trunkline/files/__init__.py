"""Tabular files: read as CSV, written as CSV, XLSX and JSON lines."""
