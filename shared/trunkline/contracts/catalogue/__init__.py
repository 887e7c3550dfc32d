"""The catalogue of contracts, and the JSON Schemas and AsyncAPI generated from it."""
