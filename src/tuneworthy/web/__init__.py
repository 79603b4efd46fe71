"""The page of cases in a browser."""
