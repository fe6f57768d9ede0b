"""Training that resumes bit for bit: a step, a loop, and what they are made of."""
