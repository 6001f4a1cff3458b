"""Several settings, trained one after the other, as jobs of the queue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from studio.actions.action import Action, Result, Table
from studio.actions.declared.training_actions import Train
from studio.runs.settings import parse_settings, write_setting
from studio.workspace.claims import Claim
from studio.workspace.errors import StudioError
from studio.workspace.jobs import Needs, Terms
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord, option
from studio.workspace.trust import Named

MAX_RUNS = 64  # More would take days, and nobody reads the table.


class SweptRun(DeclaredRecord):
    """A run of a sweep: its job, and the settings in which it differs from the others."""

    run: str
    job: int
    settings: tuple[str, ...]


class SweepResult(Result):
    """The runs of a sweep, in the order in which they train."""

    name: str
    runs: tuple[SweptRun, ...]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        rows = [(each.run, each.job, ", ".join(each.settings)) for each in self.runs]
        yield Table(["run", "job", "settings"], rows)

    def remarks(self) -> Iterator[str]:
        """Where their scores are told."""
        yield (
            f"Each begins when the one before has ended: studio jobs. Best first, as far as they "
            f"are: studio compare '{self.name}-*' --best-first"
        )


def read_varied(texts: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each setting that varies.

    Args:
        texts: each NAME=VALUE,VALUE or, where values have commas, NAME=["VALUE", "VALUE"].

    Raises:
        StudioError: one of them has not two values.

    Example:
        >>> read_varied(["loss=hinge,relativistic", "learning_rate=[1e-4, 2e-4]"])
        {'loss': ['hinge', 'relativistic'], 'learning_rate': [0.0001, 0.0002]}
    """
    varied: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, given = text.partition("=")
        values = parse_settings([text]).get(name.strip()) if equals else None
        if not isinstance(values, list):
            values = [
                parse_settings([f"{name}={each}"])[name.strip()]
                for each in given.split(",")
                if each.strip()
            ]
        if len(values) < 2 or not name.strip():
            raise StudioError(
                f"'{text:.80}' does not vary. Write a setting and two values or more, such as "
                "loss=hinge,relativistic."
            )
        varied[name.strip()] = values
    return varied


class Sweep(Train):
    """Train with several settings, one after the other.

    Each combination of what --vary names becomes a run NAME-1, NAME-2 and so on, with the other
    words of `studio train` the same for all. They wait in the queue, each for the one before,
    whether that ends well or not. None is made unless all can be.
    """

    command = "sweep"
    is_job = False
    makes_run = False

    vary: tuple[str, ...] = option(
        help="A setting with its values; may be repeated.",
        repeated=True,
        metavar="NAME=VALUE,VALUE",
    )

    @property
    def about_run(self) -> str | None:
        """No run: its jobs make some."""
        return None

    def claims(self) -> Sequence[Claim]:
        """Nothing: its jobs claim what they need."""
        return []

    def needs(self) -> Needs | None:
        """No device: its jobs wait for theirs."""
        return None

    def trainings(self) -> list[tuple[Train, tuple[str, ...]]]:
        """The training of each run, with the settings in which it differs.

        Raises:
            StudioError: what varies cannot be read, or makes too many runs.
        """
        varied = read_varied(self.vary)
        combinations = [
            dict(zip(varied, values, strict=True)) for values in itertools.product(*varied.values())
        ]
        if not 2 <= len(combinations) <= MAX_RUNS:
            raise StudioError(
                f"A sweep is of 2 to {MAX_RUNS} runs, and this would be {len(combinations)}. Name "
                "other values with --vary."
            )
        names = Train.model_fields
        common = {name: value for name, value in self.given().items() if name in names}
        return [
            (
                Train.read(
                    {
                        **common,
                        "run": f"{self.run}-{number}",
                        "settings": {**self.settings, **chosen},
                    }
                ),
                tuple(write_setting(name, value) for name, value in chosen.items()),
            )
            for number, chosen in enumerate(combinations, 1)
        ]

    def check(self, workspace: Workspace) -> None:
        """Refuse the sweep where one of its trainings would be refused."""
        for training, settings in self.trainings():
            try:
                training.check(workspace)
            except StudioError as error:
                raise StudioError(f"Run {training.run} ({', '.join(settings)}): {error}") from error

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """What its trainings bring."""
        for training, _ in self.trainings():
            yield from training.brings(workspace)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SweepResult:  # type: ignore[override]
        """Queue the trainings."""
        from studio.actions.submission import submit

        runs: list[SweptRun] = []
        for training, settings in self.trainings():
            terms = Terms(follows=runs[-1].job, follows_any=True) if runs else Terms()
            job = submit(workspace, training, terms)
            runs.append(SweptRun(run=training.run, job=job.id, settings=settings))
        return SweepResult(name=self.run, runs=tuple(runs))

    def duplicated(self, workspace: Workspace) -> Train:
        """The same once more."""
        return self

    def resumed(self) -> Action:  # type: ignore[override]
        """It begins again."""
        return self


ACTIONS = (Sweep,)
