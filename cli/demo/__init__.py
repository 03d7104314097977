"""What `make demo` needs: a master of its own making, and a place to fetch it from."""
