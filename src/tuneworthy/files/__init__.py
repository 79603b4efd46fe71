"""The user's files: the only room that opens or writes them."""
