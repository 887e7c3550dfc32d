"""Events that time brings about, each at its instant (N10)."""
