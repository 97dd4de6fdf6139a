"""Kernels for the book's pages, forked from one process that has imported what they all import.

Ten kernels that each import PyTorch, SciPy and matplotlib spend more time on that than on most
pages. A forked kernel is an ordinary one otherwise: one process a page, with nothing run in it.
"""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

# No progress bars in the pages, and numbers that do not depend on the cores.
ENVIRONMENT = {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
PATIENCE = 600  # seconds, with a kernel that starts or answers on a busy machine
# Between them they import all that the chapters do; one that is not installed is passed over.
IMPORTED = [
    "ipykernel.kernelapp",
    "matplotlib_inline.backend_inline",
    "dropkit.claims.cards",
    "dropkit.notebook.records",
    "dropkit.figures.your_data",
    "dropkit.store.provenance",
    "dropkit.notebook.larger_scales",
    "dropkit.study.runner",  # and with it PyTorch
]
READ = "book._ext.shared_records"
# What ipykernel would set later; matplotlib reads it when it is imported.
BACKEND = "module://matplotlib_inline.backend_inline"


def use(*, reading: bool) -> None:
    """Fork the kernels that this process starts from now on, where forking is safe.

    On macOS it is not, once libraries have used the system's own; kernels then start as always.
    With `reading` the records that all pages read are read before the first is forked.
    """
    if sys.platform != "linux":
        return
    os.environ.setdefault("MPLBACKEND", BACKEND)
    beforehand = [*IMPORTED, READ] if reading else IMPORTED
    multiprocessing.get_context("forkserver").set_forkserver_preload(beforehand)
    factory = KernelProvisionerFactory.instance()
    where = f"{ForkedKernel.__module__}:{ForkedKernel.__name__}"
    factory.provisioners["forked"] = EntryPoint("forked", where, factory.GROUP_NAME)
    factory.default_provisioner_name = "forked"


def despite_taken_ports(start: Callable[..., Any]) -> Callable[..., Any]:
    """Return `start`, called once more where the kernel that it starts died before it ran anything.

    Jupyter picks a kernel's ports before the kernel takes them: another program may be faster.
    """

    @wraps(start)
    def started(*arguments: Any, **named: Any) -> Any:
        try:
            return start(*arguments, **named)
        except RuntimeError as error:
            if "Kernel died before replying" not in str(error):
                raise
        return start(*arguments, **named)

    return started


class ForkedKernel(LocalProvisioner):
    """Start a kernel by a fork where Jupyter's own provisioner starts an interpreter."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        """Fork a kernel that takes the command's arguments; return how to connect to it."""
        arguments = cmd[cmd.index("-f") :]
        self.process = _Process(target=_run, args=(arguments, kwargs["env"]))
        self.process.start()
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class _Process(multiprocessing.get_context("forkserver").Process):
    """A forked process with the names of `subprocess.Popen` that the provisioner asks for."""

    stdin = stdout = stderr = None

    def poll(self) -> int | None:
        return self.exitcode

    def wait(self) -> int | None:
        self.join()
        return self.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Be a kernel: in the child, until it is told to end."""
    from ipykernel import kernelapp
    from tqdm import tqdm

    os.setsid()  # so that what a page starts is ended with it
    os.environ.clear()
    os.environ.update(environment)
    # Its usual lock is a semaphore of the system's, which a kernel that is killed leaves behind.
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    sys.argv = ["ipykernel_launcher", *arguments]
    # A kernel that knows of a parent does not tell the terminal how it can be ended.
    kernelapp.launch_new_instance([*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


def _end_with_the_parent() -> None:
    """End this process when the one that asked for it is gone, in whatever way."""
    multiprocessing.parent_process().join()
    os._exit(1)
