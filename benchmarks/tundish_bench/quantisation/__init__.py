"""What quantisation is worth on real models: the search's results beside what the project wants of them."""
