"""Where the table of a benchmark goes, and what machine it is from."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def described() -> str:
    """Return what the machine is: its cores and the family of its processor."""
    info = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in info if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    vendor, family = named.get("vendor_id", platform.machine()), named.get("cpu family", "unknown")
    return f"{os.cpu_count()} cores, {vendor} family {family}"


def tell(bench: str, said: str, lines: list[str], page: Path | None) -> None:
    """Print a benchmark's table, and put it into a page if there is one."""
    print("\n".join((said, "", *lines)))  # noqa: T201 - what was asked for
    if page:
        put(page, bench, said, lines)


def put(page: Path, bench: str, said: str, lines: list[str]) -> None:
    """Replace what is between a benchmark's marks of a page. Raises ValueError if it has none."""
    text = page.read_text("utf-8")
    begin, end = f"<!-- {bench} -->", f"<!-- /{bench} -->"
    if begin not in text or end not in text:
        raise ValueError(f"{page} has no place for the table")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    table = "\n".join(lines)
    page.write_text(f"{before}{begin}\n{said}\n\n{table}\n{end}{after}", "utf-8")
