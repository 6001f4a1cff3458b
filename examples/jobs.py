"""Let a training work in a process of its own, watch it, and take its result.

python examples/jobs.py [WORKSPACE]
"""

from _workspace import TINY, open_workspace

here = open_workspace()
job = here.train(dataset="streets", run="second", batches=30, settings=TINY, detach=True)
print(f"job {job.id} has begun; it goes on if this script ends")

job.wait()
report = job.result()
print(f"run {report.run} {report.status}: {report.checkpoints} checkpoints")
for event in here.events(run="second").events:
    print(f"batch {event['batch']}: {event['text']}")
