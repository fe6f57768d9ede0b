"""What a run tells a person: `report.html`, the model card and the tables of the terminal.

All of them read the one dict that `report.json` holds. What did not run is said to be missing, never guessed.
"""
