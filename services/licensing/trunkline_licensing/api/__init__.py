"""The doors of licensing: one module per noun."""
