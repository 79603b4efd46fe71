"""Cases on disk, for every surface: read, judged, reported, listed, and their history."""
