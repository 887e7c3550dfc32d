"""Subscriptions as numbers knows them."""
