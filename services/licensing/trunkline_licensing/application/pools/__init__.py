"""License pools: supply and allocation."""
