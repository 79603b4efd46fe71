"""What the processor can do, where a library's native code dies without it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

_X86 = frozenset({"x86_64", "amd64"})
_WINDOWS_AVX2 = 40  # PF_AVX2_INSTRUCTIONS_AVAILABLE, in the documentation of the Windows API
_FLAGS = Path("/proc/cpuinfo")


def lacks_avx2(machine: str | None = None, cpuinfo: Path = _FLAGS) -> bool:
    """Whether this is an x86 processor that is known to lack AVX2.

    Args:
        machine: As ``platform.machine()``.
        cpuinfo: Where Linux says what the processor can do.

    Returns:
        False for other kinds of processor, whose builds don't use it, and where nobody says.
    """
    if (machine or platform.machine()).lower() not in _X86:
        return False
    if sys.platform == "win32":
        import ctypes

        return not ctypes.windll.kernel32.IsProcessorFeaturePresent(_WINDOWS_AVX2)
    try:
        with cpuinfo.open(encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return False
    return bool(flags) and "avx2" not in flags.partition(":")[2].split()
