"""Parties and identities over HTTP."""
