"""The fitted model asked: forecasts, slices, sensitivities. Nothing is recorded."""
