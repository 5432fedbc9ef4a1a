"""`make run`: the hub and two sample parties on this machine, each a process of its own, shown as they live."""
