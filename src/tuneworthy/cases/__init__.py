"""Cases on disk, for every surface: reading, judging, reports, lists, and history."""
