"""The sections of the document, one module for each subject."""
