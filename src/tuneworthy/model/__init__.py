"""The records: what is known, decided and written, and nothing else."""
