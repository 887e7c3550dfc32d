"""What one service holds, for comparison with the other."""
