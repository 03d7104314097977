"""The embedded stack: NATS, the API and the workers as children of one supervisor."""
