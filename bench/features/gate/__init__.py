"""The gate: has recall fallen since a baseline was saved?"""
