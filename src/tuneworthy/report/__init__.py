"""The dossier as people read it."""
