"""What all of the package shares: checks of what users pass, errors, and faces of folders."""
