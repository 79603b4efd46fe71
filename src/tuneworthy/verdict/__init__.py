"""From answers to a verdict: weigh, rules, challenges, options, gates."""
