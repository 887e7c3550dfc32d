"""Kafka clients: consumer group, offsets, producer, topics."""
