"""The pass needs the same memory for a long file with many tracks as for any other."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A file with a hole for its audio costs no disk.
CHILD = """
import sys
from pathlib import Path
from services.validator.audio.measure import measure
from shared.adm.routes import BedRoute
from shared.adm.source import open_source

path, routed = Path(sys.argv[1]), sys.argv[2] == "routed"
with path.open("wb") as file:
    file.truncate(44 + 128 * 3 * 96_000 * 4)
with open_source(path) as source:
    routes = [BedRoute("RC_L")] * 128 if routed else None
    found = measure(source, 44, source.size - 44, 128, 24, 96_000, routes)
assert found.silent and found.seconds == 4
status = Path("/proc/self/status").read_text().split()
print(int(status[status.index("VmHWM:") + 1]) // 1024)
"""


def test_a_pass_stays_below_256_mebibytes(tmp_path: Path) -> None:
    for mode in ("routed", "direct"):
        command = [sys.executable, "-c", CHILD, str(tmp_path / "hole.wav"), mode]
        child = subprocess.run(command, check=True, capture_output=True, text=True)
        assert int(child.stdout) < 256
