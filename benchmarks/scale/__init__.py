"""How cost grows with partitions, threads, instances, keys and the size of batches."""
