"""The page: a server on one's own machine that shows cases, takes answers and follows labs."""
