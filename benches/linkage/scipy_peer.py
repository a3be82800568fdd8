"""The peer: scipy's connected components over pandas' numbering of the same keys, read from FILE; one line of JSON."""
import json
import sys
import time

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

keys = np.fromfile(sys.argv[1], dtype="<u8").reshape(2, -1)
records = keys.shape[1]
start = time.perf_counter()
card, cards = pd.factorize(keys[0])
name, names = pd.factorize(keys[1])
size = records + len(cards) + len(names)
rows = np.concatenate([np.arange(records), np.arange(records)])
columns = np.concatenate([records + card, records + len(cards) + name])
graph = coo_matrix((np.ones(2 * records, dtype=np.int8), (rows, columns)), shape=(size, size))
groups, _ = connected_components(graph, directed=False)
seconds = time.perf_counter() - start
print(json.dumps({"records": records, "groups": int(groups), "link_s": round(seconds, 2),
                  "million_per_s": round(records / seconds / 1e6, 2)}))
