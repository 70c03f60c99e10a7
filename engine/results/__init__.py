"""What a campaign has come to: status, front, ledger of predictions, figures."""
