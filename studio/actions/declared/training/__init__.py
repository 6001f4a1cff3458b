"""Actions beside training: settings under names of one's own, and the numbers of a run."""
