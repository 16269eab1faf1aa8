"""How much does the order in which vectors are inserted change the recall of an HNSW index?"""
