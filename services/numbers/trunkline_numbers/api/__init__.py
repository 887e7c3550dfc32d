"""The doors of numbers: one module per noun."""
