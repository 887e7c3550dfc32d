"""Licensing: subscriptions, licenses, extensions and bulk assignments."""
