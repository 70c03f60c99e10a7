"""Benchmarks: is a strategy worth its time, on a lab with a known truth or on a finished table?

objectives   what the search is for, from the command's words
strategies   names → strategies of ``engine.propose``; others can be brought along
truth        the true front of a lab that knows its truth
closed_loop  strategy against lab, round by round        replay   strategy against a table
running      many (strategy, seed) at once, kept as they finish
scores       curves → comparison, with paired bootstrap intervals
latency      seconds of a proposal, beside Ax            plots    the pictures
accuracy     models on held-out runs of a table          predictors  the models, by name
prediction_scores  held-out measurements → R², coverage, NLPD
"""
