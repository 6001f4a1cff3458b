"""The queue of jobs: what each waits for, in which order, and what is asked of one."""
