"""``python -m tuneworthy``."""

from tuneworthy.surfaces.cli import main

main()
