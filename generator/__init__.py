"""Micrographs from conditions. Empty so far: the diffusion generator comes in a later version."""
