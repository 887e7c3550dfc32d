"""The log as a persistence module of the `eventsourcing` library, to be read by its followers."""
