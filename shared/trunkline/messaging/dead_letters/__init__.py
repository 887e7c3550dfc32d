"""Records that cannot be processed: kept, published, replayed."""
