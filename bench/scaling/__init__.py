"""How far the pipeline scales: its parts measured, a simulation fed with them, the arithmetic."""
