"""JupyterLab in which a notebook has a kernel that runs already, and that another process holds.

    python -m runner.jupyter.joined NOTEBOOK OPTION…

The options say where its connection file is, and who interrupts it (see `lab.Kernel`).
"""

import os
import sys
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]
from traitlets import Int


class JoinedKernel(ServerKernelManager):
    """A kernel of the server; or the one that it has not started, and cannot signal."""

    holder = Int(config=True, help="the process that interrupts it")
    number = Int(config=True, help="the signal that has it do so")

    async def interrupt_kernel(self) -> None:  # type: ignore[override]  # it has another one
        """Interrupt what runs in it."""
        if self.owns_kernel:
            await super().interrupt_kernel()
        else:
            os.kill(self.holder, self.number)

    async def restart_kernel(  # type: ignore[override]  # as above
        self,
        *words: Any,  # noqa: ANN401 - as the server has it
        **more: Any,  # noqa: ANN401
    ) -> None:
        """Start it anew, if the server can."""
        if not self.owns_kernel:
            # The server tells the browser nothing of why.
            text = "the kernel of `debug` is not restarted: end it with Ctrl-C, and begin again"
            self.log.warning(text)
            raise RuntimeError(text)
        await super().restart_kernel(*words, **more)


class JoinedLab(LabApp):  # type: ignore[misc]  # as above
    """JupyterLab that knows the notebook's kernel before a browser opens the notebook."""

    notebook = ""

    @classmethod
    def initialize_server(cls, *words: Any, **more: Any) -> Any:  # noqa: ANN401 - as above
        """Make the server."""
        server = LabApp.initialize_server(*words, **more)
        server.io_loop.run_sync(lambda: _join(server, cls.notebook))
        return server


async def _join(server: Any, notebook: str) -> None:  # noqa: ANN401 - as above
    (key,) = server.kernel_manager.list_kernel_ids()
    # What is left there of an earlier server is removed by asking for it.
    if not await server.session_manager.session_exists(path=notebook):
        await server.session_manager.create_session(
            path=notebook, name=Path(notebook).name, type="notebook", kernel_id=key
        )


def main() -> None:
    """Be JupyterLab."""
    JoinedLab.notebook = sys.argv.pop(1)
    JoinedLab.launch_instance()


if __name__ == "__main__":
    main()
