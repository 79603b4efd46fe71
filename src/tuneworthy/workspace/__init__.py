"""Cases on disk, for every surface."""
