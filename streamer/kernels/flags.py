"""How kernels are compiled, declared once."""

FASTMATH = {"reassoc", "contract", "nsz", "arcp"}
"""Reordering for SIMD is allowed; ``nnan`` and ``ninf`` never are, because NaN marks missing data."""
