"""Which kernels the notebooks need, and whether they are installed."""

import sys
from collections.abc import Iterator

from ..errors import Problem
from ..words import did_you_mean, first_few
from .layout import Project
from .notebooks import PYTHON

# What Jupyter itself calls the Python that it runs on.
_USUAL = {"python", "python3"}


def missing(project: Project) -> Iterator[Problem]:
    """Find notebooks whose kernel is not there. Python ones run on this interpreter."""
    chosen = project.settings.kernel
    wanted = {
        notebook.label: chosen or notebook.kernel
        for notebook in project.notebooks.values()
        if chosen or notebook.language != PYTHON
    }
    if not wanted:
        return
    # Only a project with other kernels pays for the import.
    from jupyter_client.kernelspec import KernelSpecManager  # noqa: PLC0415

    installed = sorted(KernelSpecManager().find_kernel_specs())
    for label, name in wanted.items():
        if name is None:
            yield Problem(label, "names no kernel; choose one in Jupyter and save it")
        elif name.lower() not in installed:
            whose = "the setting `kernel`" if chosen else "its kernel"
            hint = did_you_mean(name, installed)
            yield Problem(label, f"{whose}, `{name}`, is not installed; install it{hint}")


def unused(project: Project) -> Iterator[str]:
    """Tell, once, of Python notebooks that name a kernel of another environment."""
    if project.settings.kernel:
        return
    found = [
        (one.label, one.kernel)
        for one in project.notebooks.values()
        if one.language == PYTHON and one.kernel and one.kernel.lower() not in _USUAL
    ]
    if found:
        labels = first_few([label for label, _ in found])
        names = dict.fromkeys(f"`{name}`" for _, name in found)
        kernels = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
        yield (
            f"{labels}: kernel {kernels} not used; Python notebooks run on the Python "
            f"that runs run.py, {sys.version.split()[0]} (`kernel` under [tool.runner] in "
            "pyproject.toml chooses another one)"
        )
