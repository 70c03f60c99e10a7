"""The command line: each command parses, calls one engine function, prints."""

import gc

# Starting a command makes some hundred thousand objects that live until it ends. Collecting among
# them again and again would be a tenth of the start of `engine log` and `engine status`.
gc.set_threshold(100_000, 50, 50)
