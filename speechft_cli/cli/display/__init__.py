"""What is on the screen: one region redrawn in place on a terminal, plain lines everywhere else."""
