"""The only room that opens or writes the user's files."""
