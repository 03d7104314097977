"""Pure rules: what may happen to a task, with the standard library only."""
