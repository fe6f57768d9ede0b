"""Text: decoding, repair, quality, lines repeated over documents."""
