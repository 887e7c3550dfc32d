"""Every figure of the project, each with its baseline in the same run: `python -m bench`."""
