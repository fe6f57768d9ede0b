"""Quality with intervals, and time measured fairly."""
