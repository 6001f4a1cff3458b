"""The process of a job: python -m studio.actions.job_process WORKSPACE JOB."""

from __future__ import annotations

import sys

from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import CANCELLED, mark_refused
from studio.workspace.names import printable
from studio.workspace.paths import Workspace
from studio.workspace.queue.turns import NotFollowedError, awaiting_turn
from studio.workspace.stopping import heed_stop_requests, spare_cores


def main() -> None:
    """Carry out one job once its turn has come; its log is this process's output.

    Exit status: 0 done, 1 failed.
    """
    spare_cores()
    heed_stop_requests()
    workspace, job_id = Workspace.open(sys.argv[1]), int(sys.argv[2])
    try:
        with awaiting_turn(workspace, job_id, _say) as devices:
            status = _work(workspace, job_id, devices)
    except NotFollowedError as error:
        mark_refused(workspace, job_id, str(error), CANCELLED)
        _fail(error)
    except EXPECTED_ERRORS as error:
        mark_refused(workspace, job_id, explain(error))
        _fail(error)
    except Exception as error:
        mark_refused(workspace, job_id, f"{type(error).__name__}: {error}")
        raise
    sys.exit(status)


def _work(workspace: Workspace, job_id: int, devices: tuple[str, ...]) -> int:
    """The exit status of the work; only now is anything loaded that it takes."""
    from studio.actions.output import print_result
    from studio.actions.submission import perform_job

    result = perform_job(workspace, job_id, devices)
    print_result(result)
    return result.exit_status


def _say(text: str) -> None:
    print(printable(text, one_line=True), file=sys.stderr)


def _fail(error: Exception) -> None:
    _say(explain(error))
    sys.exit(1)


if __name__ == "__main__":
    main()
