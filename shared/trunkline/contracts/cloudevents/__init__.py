"""CloudEvents: envelope, binary and structured mode, HTTP binding, decoding."""
