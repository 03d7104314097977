"""What a master sounds like: one streaming pass over its samples, in constant memory."""

from __future__ import annotations

import os

# The products are small: more threads would spend twice the processor's time to be no faster.
# OpenBLAS reads this once, when NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
