"""Calls to models: endpoints, prices, the ledger and the runner."""
