"""A folder that instruments write into: what lies there is registered when it is whole, once."""
