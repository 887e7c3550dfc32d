"""The HTTP application: middleware, dependencies, idempotency, problems, pagination."""
