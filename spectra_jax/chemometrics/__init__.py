"""Classical methods: the bars that a network has to clear."""
