"""What random changes of training samples share; each kind of data has its own (`data/KIND/augment`).

Those take a batch and the settings, and every random number in it is a pure function of (seed, epoch, sample id):
what a sample becomes depends neither on its batch, nor on the process, nor on what was drawn before.
"""
