#!/usr/bin/env python3
"""Trains the example models from exported features: train.py FEATURES.parquet DIRECTORY --fault FROM TO [--subject TEXT]

FEATURES is what `watershed detector export-features` wrote. An isolation forest learns from the rows outside of the
fault, a gradient-boosted model from all rows, that those of the fault are 1 and all others 0; FROM and TO are seconds
since the first row, and TEXT is in the names of the subjects that had the fault. Both are converted to ONNX so that the
score is the one output, [batch, 1], and grows with what is unusual. `check.json` holds rows and the scores that
scikit-learn gives them, for a comparison with another runtime.
"""

import argparse
import json
import pathlib

import numpy as np
import pyarrow.parquet
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingRegressor, IsolationForest

OPSETS = {"": 15, "ai.onnx.ml": 3}


def read(path):
    """Seconds since the first row, subjects, and a matrix with a row for each subject and batch."""
    table = pyarrow.parquet.read_table(path)
    names = [name for name in table.column_names if name not in ("time_", "subject")]
    times = table["time_"].cast("int64").to_numpy() / 1e9
    features = np.column_stack([table[name].to_numpy() for name in names]).astype(np.float32)
    return times - times.min(), np.array(table["subject"].to_pylist()), features


def score_only(model, output, node):
    """Ends the graph with a node that makes the score of one output, and drops the others."""
    model.graph.node.extend(node(output))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1]))
    return model


def isolation_forest(features, trees):
    forest = IsolationForest(n_estimators=trees, max_samples=128, contamination=0.01, random_state=1).fit(features)
    model = to_onnx(forest, features[:1], target_opset=OPSETS)
    negated = lambda output: [helper.make_node("Neg", [output], ["score"])]
    return score_only(model, "scores", negated), lambda rows: -forest.decision_function(rows)


def gradient_boosting(features, labels):
    # A regressor of 0 and 1: runtimes disagree on the base value of a classifier of two classes.
    boosted = GradientBoostingRegressor(n_estimators=60, max_depth=3, random_state=1).fit(features, labels)
    model = to_onnx(boosted, features[:1], target_opset=OPSETS)
    same = lambda output: [helper.make_node("Identity", [output], ["score"])]
    return score_only(model, "variable", same), boosted.predict


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--fault", nargs=2, type=float, metavar=("FROM", "TO"), required=True)
    parser.add_argument("--subject", default="", metavar="TEXT")
    parser.add_argument("--trees", type=int, default=25, help="of the isolation forest")
    arguments = parser.parse_args()
    times, subjects, features = read(arguments.features)
    labels = (times >= arguments.fault[0]) & (times <= arguments.fault[1])
    labels &= np.char.find(subjects, arguments.subject) >= 0
    models = {
        "isolation-forest": isolation_forest(features[~labels], arguments.trees),
        "gradient-boosting": gradient_boosting(features, labels.astype(float)),
    }
    arguments.directory.mkdir(parents=True, exist_ok=True)
    spread = np.random.default_rng(1).uniform(0.2, 5.0, features.shape)
    rows = np.concatenate([features, features * spread]).astype(np.float32)
    rows = rows[np.random.default_rng(2).permutation(len(rows))[:500]]
    check = {"rows": rows.tolist(), "scores": {}}
    for name, (model, score) in models.items():
        (arguments.directory / f"{name}.onnx").write_bytes(model.SerializeToString())
        check["scores"][name] = score(rows).tolist()
    (arguments.directory / "check.json").write_text(json.dumps(check))
    print(f"{len(features)} rows, {int(labels.sum())} of them in the fault: {', '.join(models)}")


if __name__ == "__main__":
    main()
