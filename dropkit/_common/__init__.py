"""What all of the package shares: checks of what users pass, and the faces of its folders."""
