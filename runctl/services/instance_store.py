"""Whether a machine type has disks of its own that are empty after a stop. By family; a family not listed is unknown.

Source: EC2 user guide, "Instance store volumes", and `InstanceStorageSupported` of DescribeInstanceTypes.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FAMILY = re.compile(r"([a-z]+)(\d*)([a-z-]*)")
#: Built around such disks: storage families.
_STORAGE = frozenset({"i", "im", "is", "d", "h", "hs"})
_WITH = _words(
    "c1 c3 f2 g5 g6 g6e g6f g7 g7e gr6 gr6f m1 m2 m3 p5 p5e p5en p6-b200 p6-b300 r3 trn1 trn1n trn2 trn2u x1 x1e"
)
_WITHOUT = _words(
    "a1 c4 c5 c5a c5n c6a c6g c6gn c6i c6in c7a c7g c7gn c7i c7i-flex c8a c8g c8gn c8i c8i-flex g3 g3s g5g hpc6a hpc7a "
    "hpc7g inf1 inf2 m4 m5 m5a m5n m5zn m6a m6g m6i m6in m7a m7g m7i m7i-flex m8a m8g m8gn m8i m8i-flex p2 p3 r4 r5 "
    "r5a r5b r5n r6a r6g r6i r6in r7a r7g r7i r7iz r8a r8g r8gn r8i r8i-flex t1 t2 t3 t3a t4g u7i-12tb u7i-6tb u7i-8tb "
    "vt1 x2iezn x8g"
)


def has_instance_store(instance_type: str) -> bool | None:
    """Whether the type has an instance store; None when nobody knows."""
    family = instance_type.partition(".")[0]
    if family in _WITHOUT:
        return False
    if family in _WITH:
        return True
    parts = _FAMILY.fullmatch(family)
    if parts and (parts[1] in _STORAGE or (parts[2] and "d" in parts[3].partition("-")[0])):
        return True
    return None
