"""The server of a run, and the databases that tests get on it: templates, clones, resets."""
