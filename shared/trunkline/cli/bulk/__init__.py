"""Commands about bulk assignments."""
