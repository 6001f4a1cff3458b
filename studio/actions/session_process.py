"""One of several processes that train a run together; the first of them reports for all.

python -m studio.actions.session_process WORKSPACE RUN SECONDS JOB PATIENCE, of which the last three
may be None: for as long as it takes, for no job, and whether it improves or not.
"""

from __future__ import annotations

import sys

from studio.actions.declared.training_actions import SessionOptions, read_group, train_session
from studio.actions.output import print_error
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.stopping import heed_stop_requests, spare_cores


def main() -> None:
    """Train; exit status: 0 done or stopped, 1 failed."""
    spare_cores()
    heed_stop_requests()
    root, run, duration, job, patience = sys.argv[1:]
    workspace = Workspace.open(root)
    reporter = Reporter(workspace, None if job == "None" else int(job))
    session = SessionOptions(
        duration=None if duration == "None" else float(duration),
        processes=int(read_group()["WORLD_SIZE"]),
        patience=None if patience == "None" else int(patience),
    )
    try:
        train_session(workspace, run, session, reporter)
    except EXPECTED_ERRORS as error:
        print_error(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
