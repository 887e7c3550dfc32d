"""Servers for tests and for a checkout: Kafka on the JDK, or containers."""
