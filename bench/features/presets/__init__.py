"""The defaults of deployed systems: what recall do they give, and does order matter there?"""
