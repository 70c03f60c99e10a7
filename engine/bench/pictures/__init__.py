"""Benchmarks of pictures: the generator, measurements of micrographs, retrieval."""
