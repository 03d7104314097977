"""ADM BWF masters (ITU-R BS.2076, BS.2088): their metadata, and beds and objects mixed to 5.1."""

from __future__ import annotations

import os

# The products are small: more threads would spend twice the processor's time to be no faster.
# OpenBLAS reads this once, when NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
