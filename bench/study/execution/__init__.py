"""How builds are run: the build itself, worker processes, the first build."""
