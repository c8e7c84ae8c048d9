"""Writes a page with figures and plots of the data. Its pictures show people and are only described."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training import duplicates, plots
from training.data import NO_LABEL, is_face, majority, plurality
from training.dataset import Split
from training.labels import FER2013, FERPLUS
from training.metrics import Labels, confusion
from training.protocols import ferplus7
from training.tables import percent, table

_PAGE = """# The data

Written by `python -m training prepare --report docs/training`. FER-2013 has 48 × 48 grey pictures of faces from an
image search for emotion words. FER+ has ten votes for each picture. `valid` is PublicTest, `test` is PrivateTest.

## Counts

{counts}

The FER+ label is the top vote, if that is an emotion (*plurality*). Disgust, contempt and fear are rare, so a few faces
change macro recall by points.

![Top votes of the training split](plots/labels.svg)

## Votes and disagreement

{disagreement}

A *majority* label has more than half of the votes after single votes are dropped. {no_majority} of the training faces
have none.

![Share of the votes that the top label has](plots/agreement.svg)

## Original labels

The original label was given by one person or is the search word. It agrees with FER+ for {same} of the training faces
that have both:

![Original labels against FER+](plots/labels-2013.svg)

## Duplicates

{duplicated}

Near duplicates have thumbnails of 16 × 16 pixels, without their mean, with a cosine similarity above {near}; mirror
images count too. Training leaves out pictures that are also in other splits, exactly or nearly. All splits leave out
pictures that five or more taggers called *not a face*.

{prepared}

## What the pictures show

In a random sample of 96, most people face the camera and act an emotion, as in stock and press photos. Most are
adults, and few are old. Faces fill the frame from brow to chin; some are turned, in shadow or partly covered. A few are
drawings or masks. There are no labels of age, gender or skin colour, so fairness cannot be measured with this data.

The photos of `wild-train` are portraits and film stills, mostly neutral and happy, labelled by students.
"""


def write(folder: Path, splits: dict[str, Split], prepared: dict[str, int], photos: int) -> None:
    """Writes ``data.md`` and its plots."""
    labels = {name: plurality(split.votes) for name, split in splits.items()}
    train, top = splits["train"], labels["train"]
    plot = folder / "plots"
    plots.bars(
        plot / "labels.svg",
        "Top vote of FER+ (training split)",
        {"faces": [int((top == index).sum()) for index in range(len(FERPLUS))]},
        FERPLUS,
        "faces",
    )
    shares = train.votes.max(axis=1) / np.maximum(train.votes.sum(axis=1), 1)
    histogram = np.histogram(shares, bins=np.arange(0.05, 1.1, 0.1))[0]
    plots.bars(
        plot / "agreement.svg",
        "Share of the votes that the top label has (training split)",
        {"faces": histogram.tolist()},
        [f"{share:.1f}" for share in np.arange(0.1, 1.01, 0.1)],
        "faces",
    )
    both = (train.fer2013 != NO_LABEL) & (ferplus7(train, "plurality") != NO_LABEL)
    pairs = confusion(ferplus7(train, "plurality")[both], train.fer2013[both], len(FER2013))
    plots.matrix(plot / "labels-2013.svg", "Original label (row) and top vote (column), %", pairs, FER2013, FER2013)
    page = _PAGE.format(
        counts=_counts(splits, labels),
        disagreement=_disagreement(train, top),
        no_majority=percent(float((majority(train.votes) == NO_LABEL).mean())),
        same=percent(float(np.trace(pairs) / max(pairs.sum(), 1))),
        duplicated=_duplicates(splits),
        near=duplicates.NEAR,
        prepared=table(
            ("split", "pictures", "kept"),
            [(name, len(split), prepared[name]) for name, split in splits.items()]
            + [("`wild-train` photos with a face", "–", photos)],
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.md").write_text(page)


def _counts(splits: dict[str, Split], labels: dict[str, Labels]) -> str:
    rows: list[tuple[object, ...]] = [
        (label, *(int((labels[name] == index).sum()) for name in splits)) for index, label in enumerate(FERPLUS)
    ]
    rows.append(("top vote is no emotion", *(int((labels[name] == NO_LABEL).sum()) for name in splits)))
    rows.append(("*not a face* (five votes or more)", *(int((~is_face(s.votes)).sum()) for s in splits.values())))
    rows.append(("all", *(len(split) for split in splits.values())))
    original = [
        (label, *(int((split.fer2013 == index).sum()) for split in splits.values()))
        for index, label in enumerate(FER2013)
    ]
    return f"{table(('FER+', *splits), rows)}\n\n{table(('original label', *splits), original)}"


def _disagreement(train: Split, top: Labels) -> str:
    votes = train.votes[:, : len(FERPLUS)].astype(np.float64)
    rows: list[tuple[object, ...]] = []
    for index, label in enumerate(FERPLUS):
        chosen = votes[top == index]
        if not len(chosen):
            continue
        share = (chosen[:, index] / chosen.sum(axis=1)).mean()
        others = np.delete(chosen.sum(axis=0), index)
        rival = np.delete(np.array(FERPLUS), index)[others.argmax()]
        clear = (majority(train.votes)[top == index] != NO_LABEL).mean()
        rows.append((label, percent(float(share)), percent(float(clear)), rival))
    return table(("top vote", "share of votes", "has a majority", "second"), rows)


def _duplicates(splits: dict[str, Split]) -> str:
    train = splits["train"].images
    rows: list[tuple[object, ...]] = []
    for name in ("valid", "test"):
        held = splits[name].images
        same = duplicates.exact(train, held)
        near = (duplicates.similarity(train, held) > duplicates.NEAR) & ~same
        back = duplicates.exact(held, train)
        rows.append((name, int(same.sum()), int(near.sum()), int(back.sum())))
    every = np.concatenate([split.images for split in splits.values()])
    head = ("split", "training pictures in it", "near duplicates", "its pictures in training")
    return (
        f"{duplicates.groups(every)} pictures occur more than once, byte for byte, in the three splits together.\n\n"
        + table(head, rows)
    )
