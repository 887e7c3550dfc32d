"""The `trunkline` command: a client of both services, and the command that runs them."""
