"""Pictures that clients upload: proven by decoding them, in a child of the sandbox."""
