"""Rankings of models: do they hold when an index answers instead of exact search?"""
