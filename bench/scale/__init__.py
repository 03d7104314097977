"""How times and memory grow with the number of tasks."""
