"""Micrographs from conditions. Empty in this version: the diffusion generator comes with a later one."""
