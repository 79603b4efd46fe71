"""The framework as data: loaded, compiled into rules, checked."""
