"""Several processes that train one model, each on its share of every batch."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed
from torch import Tensor
from torch.nn import Parameter

from studio.workspace.devices import choose_device
from studio.workspace.errors import StudioError

T = TypeVar("T")
PATIENCE = timedelta(days=7)  # of the others while the main process waits for room on its disk
FIRST_PORT, PORTS = 20_000, 20_000  # Slurm's jobs get one of these, by their number


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; alone it costs nothing.

    Gradients are averaged by hand, as StyleGAN3 does, rather than by a wrapper around the
    networks: a gradient penalty goes through D's backward pass twice, and G and D share passes.
    With the same seed everywhere, the mean over equal shares is the gradient of the whole batch.
    What depends on a batch as a whole is each process's own: the statistics of batch norm, and
    the deviation of a minibatch. Networks without them train as one process would with the whole
    batch, within float rounding.

    Attributes:
        rank: 0 for the main process, the only one that writes.
        count: how many there are.
        device: that this one works on.
    """

    rank: int
    count: int
    device: torch.device
    _agreeing: torch.distributed.ProcessGroup | None = None

    @classmethod
    def alone(cls, device: torch.device | str) -> Processes:
        return cls(0, 1, torch.device(device))

    @classmethod
    def join(cls) -> Processes:
        """Join those that torchrun, Slurm or `launch` started with this one; else be alone.

        Raises:
            StudioError: the environment of a launcher is incomplete, or the others do not answer.
        """
        environment = read_environment(os.environ)
        if int(environment.get("WORLD_SIZE", "1")) == 1:
            return cls.alone(choose_device())
        os.environ.update(environment)
        os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))  # not accelerate's

        from accelerate import PartialState

        on_cpu = not torch.cuda.is_available()
        try:
            state = PartialState(cpu=on_cpu, backend="gloo" if on_cpu else "nccl")
            agreeing = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            raise StudioError(
                f"Process {environment['RANK']} of {environment['WORLD_SIZE']} could not join the "
                f"others at {environment['MASTER_ADDR']}:{environment['MASTER_PORT']}: {error}. "
                "Look at what the others said, then start all of them again."
            ) from error
        return cls(state.process_index, state.num_processes, state.device, agreeing)

    def leave(self) -> None:
        """Take leave of the others, at the end."""
        if self.count > 1:
            from accelerate import PartialState

            PartialState().destroy_process_group()
            PartialState._reset_state()

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's contiguous part of a batch [N, ...]: [N / count, ...].

        Raises:
            StudioError: N is no multiple of count.
        """
        if len(batch) % self.count:
            raise StudioError(
                f"A batch of {len(batch)} cannot be shared equally by {self.count} processes. "
                f"Set batch_size to a multiple of {self.count}."
            )
        return batch.chunk(self.count)[self.rank]

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[Parameter]) -> None:
        """Replace gradients by their mean over the processes, which is the same in all of them.

        Args:
            parameters: those without a gradient are passed over; it is the same ones everywhere.

        Raises:
            StudioError: another process has ended.
        """
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        mean = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = mean.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def mean(self, scalars: Tensor) -> Tensor:
        """The mean over the processes of each value of a tensor, in all of them.

        Raises:
            StudioError: another process has ended.
        """
        if self.count == 1:
            return scalars
        total = scalars.clone()
        with self._together():
            torch.distributed.all_reduce(total)
        return total.div_(self.count)

    def agree(self, value: T) -> T:
        """What the main process holds, in all of them: anything small that pickle can carry.

        Raises:
            StudioError: another process has ended.
        """
        if self.count == 1:
            return value
        values = [value]
        with self._together():  # by way of gloo, so that no GPU has to be waited for
            torch.distributed.broadcast_object_list(values, src=0, group=self._agreeing)
        return values[0]

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # what gloo and nccl raise
            raise StudioError(
                f"Process {self.rank} of {self.count} has lost the others: one of them ended. "
                "Look at what it said, and go on from the last state: studio resume."
            ) from error


def read_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What torchrun would say about the group (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, ...).

    Within a step that srun began it is read from Slurm's own variables; a batch script that calls
    the studio without srun is one process, whatever number of tasks it asked for.

    Returns:
        The variables of the group; none if there is no group.

    Raises:
        StudioError: a variable is missing, or is not a number.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    if "WORLD_SIZE" in environ:
        found = {name: environ[name] for name in names if name in environ}
    elif "SLURM_STEP_ID" in environ and environ.get("SLURM_NTASKS", "1") != "1":
        found = read_slurm(environ)
    else:
        return {}
    for name in names:
        value = found.get(name, "")
        if not value or (name != "MASTER_ADDR" and not value.isdecimal()):
            raise StudioError(
                f"{name} is {value!r} where several processes train together. Start them with "
                "studio train --processes, torchrun or srun, which set it."
            )
    return found


def read_slurm(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of torchrun, from those of srun."""
    port = FIRST_PORT + int(environ.get("SLURM_JOB_ID", "0")) % PORTS
    return {
        "RANK": environ.get("SLURM_PROCID", ""),
        "WORLD_SIZE": environ["SLURM_NTASKS"],
        "LOCAL_RANK": environ.get("SLURM_LOCALID", ""),
        "MASTER_ADDR": environ.get("MASTER_ADDR") or first_host(environ),
        "MASTER_PORT": environ.get("MASTER_PORT", str(port)),
    }


def first_host(environ: Mapping[str, str]) -> str:
    """The machine of Slurm's first task; loopback where there is only one machine."""
    if environ.get("SLURM_STEP_NUM_NODES", environ.get("SLURM_NNODES")) == "1":
        return "127.0.0.1"
    nodes = environ.get("SLURM_STEP_NODELIST", environ.get("SLURM_JOB_NODELIST", ""))
    if re.fullmatch(r"[\w.-]+(,[\w.-]+)*", nodes):  # no ranges such as node[3-7]
        return nodes.split(",")[0]
    command = ["scontrol", "show", "hostnames", nodes]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise StudioError(
            f"The first of Slurm's nodes '{nodes}' is unknown: {error}. "
            "Set MASTER_ADDR to its name."
        ) from error
