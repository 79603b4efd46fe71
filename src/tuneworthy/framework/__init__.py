"""The framework's questions and rules, in the form that the other rooms use."""
