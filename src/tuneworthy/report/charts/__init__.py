"""Pictures of a dossier as SVG that can stand inside a page. Drawing takes the extra ``report``."""
