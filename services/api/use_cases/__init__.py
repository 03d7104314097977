"""What can be done, one module per noun; each use case is one atomic unit."""
