"""Maps a function over numbers with two engines of ipyparallel."""

import ipyparallel

with ipyparallel.Cluster(n=2) as cluster:
    assert cluster[:].map_sync(lambda number: number * number, range(100)) == [number * number for number in range(100)]
    balanced = cluster.load_balanced_view()
    assert sum(balanced.map_sync(lambda number: number + 1, range(50))) == sum(range(51))
print("ipyparallel: ok")
