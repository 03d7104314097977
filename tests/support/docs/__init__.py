"""Documents of the validator that are made from its rules and from the files that break them."""
