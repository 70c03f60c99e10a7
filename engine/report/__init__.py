"""The report: what a campaign has found, as one self-contained page and as pictures.

``material`` reads the records; ``figures``, ``sensitivity`` and ``tables`` make plain numbers and
words of them; ``plots`` and ``page`` draw the page, ``png`` the pictures; ``writing`` puts them
into files.
"""
