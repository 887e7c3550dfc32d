"""Commands about extensions."""
