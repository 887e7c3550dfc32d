"""HTTP routes that operators use, and what is behind them."""
