"""The comparison of both services that `doctor --reconcile` makes."""
