"""The stagedoor command."""
