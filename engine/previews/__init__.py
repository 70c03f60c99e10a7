"""Previews: pictures of the mat to expect, what they show, and how true they prove to be."""
