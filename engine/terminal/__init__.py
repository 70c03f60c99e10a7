"""The terminal: what every command and study prints with, reads by, and ends in when it fails."""
