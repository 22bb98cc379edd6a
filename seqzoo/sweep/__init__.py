"""Many runs from one grid file: read, expand, run as processes, go on where they were stopped."""
