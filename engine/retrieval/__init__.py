"""Conditions ⇄ micrographs: which mats look as these conditions should, and the other way round."""
