"""What benchmarks in a browser share: made-up workspaces, a served app, what each takes."""
