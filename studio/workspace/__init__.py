"""The workspace: paths, database, jobs, devices, progress, quantities and errors."""
