"""Tables that are written with the events, and are no projections."""
