"""The process of a job: python -m studio.actions.job_process WORKSPACE JOB."""

from __future__ import annotations

import sys

from studio.actions.output import print_error, print_result
from studio.actions.submission import perform_job
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.stopping import exit_on_sigterm, spare_cores


def main() -> None:
    """Carry out one job; its log is this process's output. Exit status: 0 done, 1 failed."""
    spare_cores()
    exit_on_sigterm()
    workspace, job_id = Workspace.open(sys.argv[1]), int(sys.argv[2])
    try:
        result = perform_job(workspace, job_id)
    except EXPECTED_ERRORS as error:
        print_error(error)
        sys.exit(1)
    print_result(result)
    sys.exit(result.exit_status)


if __name__ == "__main__":
    main()
