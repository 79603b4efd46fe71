"""YAML from strangers as plain values, and edits that keep every other byte."""
