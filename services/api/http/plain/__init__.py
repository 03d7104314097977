"""Parameters in, plain JSON out: what dialects need that are no hypermedia."""
