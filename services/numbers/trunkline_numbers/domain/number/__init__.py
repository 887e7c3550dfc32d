"""Numbers: the life cycle as one pure decision."""
