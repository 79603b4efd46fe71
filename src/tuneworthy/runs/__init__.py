"""Labs that are started, watched and kept, for every surface."""
