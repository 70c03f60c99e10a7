"""Micrographs as the instrument gave them: grey values, pixel size, data bar, statistics."""
