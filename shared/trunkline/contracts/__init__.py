"""The public contracts: envelope, events, schemas and samples."""
