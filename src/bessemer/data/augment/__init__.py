"""Random changes of training samples: images (image.py), tokens (text.py) and sound (audio.py).

Each takes a batch and the settings, and every random number in it is a pure function of (seed, epoch, sample id):
what a sample becomes depends neither on its batch, nor on the process, nor on what was drawn before.
"""
