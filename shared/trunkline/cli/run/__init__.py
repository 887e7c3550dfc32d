"""Commands that start or prepare something: up, migrate, topics, demo."""
