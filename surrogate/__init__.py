"""Learning on tensors: conditions in the unit cube in, posteriors over outcomes out."""
