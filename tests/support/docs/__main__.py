"""Write the validator's documents: ``python -m tests.support.docs codes|mutations FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.support.docs import codes, mutations


def main() -> None:
    """Write the pages of all codes, or the table of broken masters."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("what", choices=["codes", "mutations"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "codes":
        write_codes(arguments.folder)
    else:
        (arguments.folder / "mutations.md").write_text(mutations.page())


def write_codes(folder: Path) -> None:
    """Write the page of each code and the index; remove those of codes that are gone."""
    made = codes.pages(codes.examples())
    (folder / codes.FOLDER).mkdir(parents=True, exist_ok=True)
    for old in (folder / codes.FOLDER).glob("*.md"):
        if f"{codes.FOLDER}/{old.name}" not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
