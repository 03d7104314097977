"""How long it takes until everything is ready, and what each process loads for it."""
