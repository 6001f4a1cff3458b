"""When a job may begin, declared once: for the command line, Python, and jobs that wait already."""

from __future__ import annotations

from studio.workspace.jobs import Terms
from studio.workspace.records.declarations import MomentS
from studio.workspace.records.record import AskedRecord, InvalidValueError, option

MAX_MOMENT_S = 250_000_000_000  # Seconds since 1970, shortly before the year 9900.
WHEN = "In the background"


class JobOptions(AskedRecord):
    """When a job may begin; each of these lets an action work in the background."""

    after: int | None = option(
        None, "Begin once this job has ended well.", ge=1, metavar="JOB", section=WHEN
    )
    anyway: bool = option(False, "Begin after that job however it ends.", section=WHEN)
    at: MomentS | None = option(
        None,
        "Begin then or later: 23:30, '2026-12-24 08:00', or +2h.",
        ge=0,
        le=MAX_MOMENT_S,
        section=WHEN,
    )

    def terms(self) -> Terms:
        """The same, as a row has it.

        Raises:
            InvalidValueError: the job is missing that it is to follow.
        """
        if self.anyway and self.after is None:
            raise InvalidValueError("{anyway} is about {after}, which is missing.")
        return Terms(follows=self.after, follows_any=self.anyway, not_before=self.at)
