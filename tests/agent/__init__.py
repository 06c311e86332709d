"""The supervisor as it is shipped: one file, run by a real interpreter, on real processes, disks and servers."""
