"""Commands about billing events."""
