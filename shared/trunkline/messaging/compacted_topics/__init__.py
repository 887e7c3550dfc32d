"""State topics: the newest document of each key, published from a projection."""
