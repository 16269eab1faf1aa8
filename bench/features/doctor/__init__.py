"""The doctor: what does an engine do with the order?"""
