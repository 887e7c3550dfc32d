"""Search and export of numbers over HTTP."""
