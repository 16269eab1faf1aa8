"""An experiment to run in a moment, as TOML."""

SMALL = """
datasets = [{ name = "digits", queries = 50 }]
orders = ["random", "given"]
ef_search = 10
build_seeds = 1
reference = ""
[[index]]
engine = "hnswlib"
M = 6
ef_construction = 20
"""
