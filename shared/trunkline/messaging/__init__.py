"""From the log to the topics (relay) and from the topics to the store (intake)."""
