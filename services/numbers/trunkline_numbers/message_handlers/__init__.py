"""One module for each family of messages that the service consumes."""
