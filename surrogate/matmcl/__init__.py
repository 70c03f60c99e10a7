"""MatMCL: structure-guided multimodal contrastive learning on tables and micrographs.

Three encoders share one latent space (Wu et al. 2025): f_t reads conditions, f_v micrograph tiles,
f_m both. A contrastive loss (GMC, Poklukar et al. 2022) pulls what belongs to one mat together;
property heads on the table latent become the mean of the Gaussian process. Everything here works
with encoded tensors; names of parameters and units are labels of the :class:`Vocabulary` only.

Importing this package loads neither torch nor transformers.
"""
