"""What benchmarks of trainings share."""
