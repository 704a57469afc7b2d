"""The command line, also installed as kubectl-scoring."""
