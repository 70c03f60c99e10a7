"""Many pictures measured at once, without a campaign: a folder in, a table out."""
