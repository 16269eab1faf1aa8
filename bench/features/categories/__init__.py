"""Permutations of whole categories: does their order matter beyond luck?"""
