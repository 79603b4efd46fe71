"""The tools, resources and prompts that an assistant may use."""
