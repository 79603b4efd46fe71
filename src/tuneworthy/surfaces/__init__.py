"""Where people and programs meet the road. Surfaces stay thin."""
