"""The soak: many tasks, many faults, one seed; afterwards everything is final and holds.

``plan`` makes the whole schedule from the seed beforehand, ``faults`` does and mends each fault,
``work`` is what clients want meanwhile, ``run`` drives both and checks.
"""

from __future__ import annotations

from tests.support.faults.soak.plan import Plan, make_plan
from tests.support.faults.soak.run import soak

__all__ = ["Plan", "make_plan", "soak"]
