"""Which kernels the notebooks need, and whether they are installed."""

from collections.abc import Iterator

from .errors import Problem
from .notebooks import PYTHON
from .project import Project, did_you_mean


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
