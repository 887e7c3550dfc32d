"""What numbers does about what it hears or what falls due: one module per subject."""
