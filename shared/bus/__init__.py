"""NATS: connection, streams, subjects, envelopes."""
