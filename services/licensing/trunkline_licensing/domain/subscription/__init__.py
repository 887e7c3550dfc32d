"""Subscriptions as billing's facts make them."""
