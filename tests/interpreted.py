"""Kernels without their compiler: every function of a module replaced by what it was made of."""

from numba.core.dispatcher import Dispatcher


def interpret(monkeypatch, *modules) -> None:
    """For one test, run all kernels of these modules (and those they import) as plain Python."""
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, Dispatcher):
                monkeypatch.setattr(module, name, value.py_func)
