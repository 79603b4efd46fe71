"""What a person sees in an interview, on any surface."""
