"""Models that keep up with the lab: when to train, how, and whether the result may serve."""
