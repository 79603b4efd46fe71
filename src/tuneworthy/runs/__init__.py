"""Labs as they are started, watched and kept, for every surface."""
