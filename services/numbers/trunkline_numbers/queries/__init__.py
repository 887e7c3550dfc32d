"""Read models to answers: search, counts, export."""
