"""License pools and their units."""
