"""The directory of parties and identities."""
