"""The nouns: frozen, closed records that every room shares and none of them owns."""
