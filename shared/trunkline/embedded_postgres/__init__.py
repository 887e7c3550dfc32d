"""PostgreSQL that an installation starts for itself."""
