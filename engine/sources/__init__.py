"""Sources: runs made elsewhere, in the words of one model, and what is trained on them."""
