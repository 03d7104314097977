"""The test of the tests: each promise's mechanism is taken out, and its test has to notice.

``registry/pNN.toml`` is one promise with its mutants. A mutant names the mechanism, the text of one
file that is the mechanism, what to put there instead, the test that must fail then, and what a user
would see. ``python -m tests.promises`` (``make promises``) tries them all, each in a copy of the
tree of its own; ``python -m tests.promises P4 outbox`` those that match a word; ``... page FILE``
writes docs/promises.md.
"""
