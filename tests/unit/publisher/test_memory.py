"""The length of a master costs no memory."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A file with a hole for its sound costs no disk; eight channels, and codings that look ahead.
CHILD = """
import sys
from pathlib import Path
import numpy as np
from services.publisher.order import Order
from services.publisher.transcode import transcode
from tests.support.renditions import wave

folder, seconds = Path(sys.argv[1]), int(sys.argv[2])
path, size = folder / "master.wav", seconds * 48_000 * 24
head = wave(np.zeros((0, 8), np.float32), 48_000, layout="7.1")
with path.open("wb") as file:
    file.write(head[:4] + (len(head) - 8 + size).to_bytes(4, "little"))
    file.write(head[8:-4] + size.to_bytes(4, "little"))
    file.truncate(len(head) + size)
formats = ("mp3", "wav", "m4a", "ogg")
files = [(folder / name).open("w+b") for name in formats]
done = transcode(path, Order(formats=formats), files, lambda *_: None)
assert done.frames == seconds * 48_000 and done.mixed
status = Path("/proc/self/status").read_text().split()
print(int(status[status.index("VmHWM:") + 1]) // 1024)
"""


def test_a_long_master_takes_no_more_than_a_short_one(tmp_path: Path) -> None:
    short, long = (_mebibytes(tmp_path, seconds) for seconds in (1, 12))
    assert long < short + 8
    assert long < 160


def _mebibytes(folder: Path, seconds: int) -> int:
    command = [sys.executable, "-c", CHILD, str(folder), str(seconds)]
    child = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(child.stdout)
