"""Films that stand still: pages to hang up."""
