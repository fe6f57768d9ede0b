"""What is learned: from a batch to a loss, from outputs to decisions."""
