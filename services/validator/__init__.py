"""The validator service: proves that a master is what it claims to be."""
