"""One document, and its renderers."""
