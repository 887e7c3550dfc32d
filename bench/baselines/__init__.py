"""What the figures are held against: the same work done by others, or one message at a time."""
