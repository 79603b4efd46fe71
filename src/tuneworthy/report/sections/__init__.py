"""The sections of the document, one module a subject."""
