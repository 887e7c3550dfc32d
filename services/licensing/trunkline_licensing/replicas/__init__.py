"""Copies of the other service's state, written with the messages."""
