"""Several processes that train one model together, each on its shard of every batch."""

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
import torch.distributed as dist
from torch import Tensor
from torch.nn import Parameter

from studio.workspace.devices import choose_device
from studio.workspace.errors import StudioError
from studio.workspace.names import read_whole, shorten

T = TypeVar("T")
# How long the other processes wait while the main process waits for room on its disk.
PATIENCE = timedelta(days=7)
# Slurm's jobs meet at one of these ports, chosen by the number of the job.
FIRST_PORT, PORTS = 20_000, 20_000


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; a single process pays nothing for it.

    Gradients are averaged here, as in StyleGAN3, rather than by a wrapper of the networks such as
    DistributedDataParallel: a gradient penalty goes through D's backward pass twice, and G and D
    use the same passes. With the same seed everywhere, the mean over equal shards is the gradient
    of the whole batch. What depends on the batch as a whole is each process's own: the statistics
    of batch norm, and the minibatch deviation. Networks without these train as a single process
    would with the whole batch, up to float rounding.

    Attributes:
        rank: 0 for the main process, the only one that writes.
        count: how many processes there are.
        device: the device that this process works on.
    """

    rank: int
    count: int
    device: torch.device
    _agreeing: dist.ProcessGroup | None = None

    @classmethod
    def single(cls, device: torch.device | str) -> Processes:
        """A process that trains by itself."""
        return cls(0, 1, torch.device(device))

    @classmethod
    def join(cls, device: str | None = None) -> Processes:
        """Join those that torchrun, Slurm or `launch` started with this one, if any did.

        Args:
            device: where a process that trains by itself works; the first GPU by default.

        Raises:
            StudioError: the environment of a launcher is incomplete, or the others do not answer.
        """
        environment = read_environment(os.environ)
        if int(environment.get("WORLD_SIZE", "1")) == 1:
            return cls.single(device or choose_device())
        os.environ.update(environment)
        try:
            rank_device = choose_rank_device(int(environment["LOCAL_RANK"]))
            dist.init_process_group("nccl" if rank_device.type == "cuda" else "gloo")
            agreeing = dist.new_group(backend="gloo", timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            raise StudioError(
                f"Process {environment['RANK']} of {environment['WORLD_SIZE']} could not join the "
                f"others at {environment['MASTER_ADDR']}:{environment['MASTER_PORT']}: {error}. "
                "Look at what the others said, then start all of them again."
            ) from error
        return cls(dist.get_rank(), dist.get_world_size(), rank_device, agreeing)

    def leave(self) -> None:
        """Close the connections to the others, at the end."""
        if self.count > 1:
            dist.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """Whether this is the one process that writes."""
        return self.rank == 0

    def shard(self, batch: Tensor) -> Tensor:
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
        """Replace gradients by their mean over the processes, the same in all of them.

        Args:
            parameters: the same ones in all processes; those without a gradient are skipped.

        Raises:
            StudioError: another process has ended.
        """
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        mean = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(mean, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes of each value of a tensor [...], in all of them.

        Raises:
            StudioError: another process has ended.
        """
        if self.count == 1:
            return values
        total = values.clone()
        with self._explaining():
            dist.all_reduce(total)
        return total.div_(self.count)

    def agree(self, value: T) -> T:
        """The value that the main process holds, in all of them.

        Args:
            value: anything small that pickle can carry.

        Raises:
            StudioError: another process has ended.
        """
        if self.count == 1:
            return value
        values = [value]
        with self._explaining():  # By way of gloo, so that no GPU has to be waited for.
            dist.broadcast_object_list(values, src=0, group=self._agreeing)
        return values[0]

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Say what a lost connection means."""
        try:
            yield
        except RuntimeError as error:  # The type that gloo and nccl raise.
            raise StudioError(
                f"Process {self.rank} of {self.count} has lost the others: one of them ended. "
                "Look at what it said, and go on from the last state: studio resume."
            ) from error


def choose_rank_device(local_rank: int) -> torch.device:
    """A GPU for each process of this machine, made current; else the CPU.

    Slurm may let each of its tasks see its own GPU alone, hence the remainder.

    Args:
        local_rank: the number of the process among those on this machine.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", local_rank % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


def read_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables by which torchrun describes a group: RANK, WORLD_SIZE, LOCAL_RANK, ...

    Within a step that srun began they are made from Slurm's own variables; a batch script that
    calls the studio without srun is one process, whatever number of tasks it asked for.

    Args:
        environ: the environment of this process.

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
        if not value or (name != "MASTER_ADDR" and read_whole(value) is None):
            raise StudioError(
                f"{name} is {shorten(value)} where several processes train together. Start them "
                "with studio train --processes, torchrun or srun, which set it."
            )
    return found


def read_slurm(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of torchrun, made from those of srun."""
    port = FIRST_PORT + (read_whole(environ.get("SLURM_JOB_ID", "0")) or 0) % PORTS
    return {
        "RANK": environ.get("SLURM_PROCID", ""),
        "WORLD_SIZE": environ["SLURM_NTASKS"],
        "LOCAL_RANK": environ.get("SLURM_LOCALID", ""),
        "MASTER_ADDR": environ.get("MASTER_ADDR") or first_host(environ),
        "MASTER_PORT": environ.get("MASTER_PORT", str(port)),
    }


def first_host(environ: Mapping[str, str]) -> str:
    """The machine of Slurm's first task; loopback where there is only one machine.

    Raises:
        StudioError: scontrol does not know the list of machines.
    """
    if environ.get("SLURM_STEP_NUM_NODES", environ.get("SLURM_NNODES")) == "1":
        return "127.0.0.1"
    nodes = environ.get("SLURM_STEP_NODELIST", environ.get("SLURM_JOB_NODELIST", ""))
    if re.fullmatch(r"[\w.-]+(,[\w.-]+)*", nodes):  # A list without ranges such as node[3-7].
        return nodes.split(",")[0]
    command = ["scontrol", "show", "hostnames", nodes]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise StudioError(
            f"The first of Slurm's nodes '{nodes}' is unknown: {error}. "
            "Set MASTER_ADDR to its name."
        ) from error
