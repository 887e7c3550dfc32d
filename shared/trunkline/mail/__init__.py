"""The mail outbox and the transports that deliver from it."""
