"""The services: each owns its stage; none imports another."""
