"""Many runs from one grid file: read, expanded, run as processes, resumed after a stop."""
