"""Projections of a service's own log: the runner, builds, blue/green rebuild, failures."""
