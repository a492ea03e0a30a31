"""Driver of peer-bench: cells, runs, reports. Standard library only."""
