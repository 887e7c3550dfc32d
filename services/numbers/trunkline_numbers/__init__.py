"""Numbers: the life cycle of every telephone number."""
