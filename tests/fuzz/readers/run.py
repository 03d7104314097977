"""Fuzz one target, guided by coverage: ``python -m tests.fuzz.readers.run TARGET OPTION...``.

The options are libFuzzer's. Ends with an error at the first input that breaks the target.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped] # has no types

with atheris.instrument_imports(include=["services.validator"]):
    from tests.fuzz.readers.targets import TARGETS

from tests.fuzz.readers.mutators import mutate_xml


def main() -> None:
    """Fuzz until an option says that it is enough."""
    program, name, *options = sys.argv
    mutators = {"axml": mutate_xml}
    atheris.Setup([program, *options], TARGETS[name], custom_mutator=mutators.get(name))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
