"""YAML from strangers into plain values, and edits that keep every other byte."""
