"""HTTP routes, schemas and authorization."""
