"""What a curve says: where it begins and ends, and five properties by stated definitions."""
