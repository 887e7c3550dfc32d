"""Pure decisions: aggregates, their events and errors."""
