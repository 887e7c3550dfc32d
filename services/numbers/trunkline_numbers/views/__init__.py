"""What numbers can be asked: one module per question."""
