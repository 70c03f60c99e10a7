"""The surrogate that takes a campaign for one more lab: simulated labs are points in one latent.

:mod:`~surrogate.labs.population` holds the labs and weighs them, :mod:`~surrogate.labs.algebra`
inverts the covariance of all outcomes by its structure, :mod:`~surrogate.labs.hyperparameters`
finds the few numbers that are fitted, :mod:`~surrogate.labs.features` says what enters linearly,
:mod:`~surrogate.labs.model` is the BoTorch model, and :mod:`~surrogate.labs.gate` decides by
evidence whether the labs are believed at all.
"""
