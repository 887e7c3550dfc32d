"""The append-only log: streams, unit of work, checkpoints, leader election, schema."""
