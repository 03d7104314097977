"""Fuzz every reader for a while: ``python -m tests.fuzz.readers [TARGET...]``.

STAGEDOOR_FUZZ_SECONDS says for how long in all. With STAGEDOOR_FUZZ_SEED it is the same few inputs
each time instead, from the corpus alone. An input that breaks a target is kept in ``var/fuzz``;
shorten it, and put it into the corpus with its mend.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.readers.seeds import seeds

CORPUS = Path(__file__).parent / "corpus"
FOLDER = Path("var", "fuzz")
LIMITS = ("-timeout=10", "-rss_limit_mb=512")
REPEATED_RUNS = 400


def main() -> None:
    """Fuzz one target after the other; exit 1 if one of them broke."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("targets", nargs="*")
    known = seeds()
    names = parser.parse_args().targets or list(known)
    seconds = int(os.environ.get("STAGEDOOR_FUZZ_SECONDS", "60")) / len(names)
    broken = [name for name in names if not fuzz(name, known[name], seconds)]
    sys.exit(f"broken: {', '.join(broken)}" if broken else 0)


def fuzz(name: str, start: list[bytes], seconds: float) -> bool:
    """Fuzz a target from its seeds, its corpus and what earlier runs found; whether it held."""
    seed = os.environ.get("STAGEDOOR_FUZZ_SEED")
    if seed is None:
        return _run(name, start, FOLDER / name, f"-max_total_time={max(1, round(seconds))}")
    with TemporaryDirectory() as folder:
        return _run(name, start, Path(folder), f"-seed={seed}", f"-runs={REPEATED_RUNS}")


def _run(name: str, start: list[bytes], folder: Path, *bounds: str) -> bool:
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    for seed in start:
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    folders = [str(each) for each in (folder, CORPUS / name) if each.is_dir()]
    limits = (*LIMITS, *bounds, f"-artifact_prefix={FOLDER}/")
    command = [sys.executable, "-m", "tests.fuzz.readers.run", name, *limits, *folders]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    main()
