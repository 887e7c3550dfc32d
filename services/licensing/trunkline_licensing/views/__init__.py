"""What licensing can be asked: one module per question."""
