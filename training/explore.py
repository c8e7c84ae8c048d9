"""What the data is like, as a page with plots. Its pictures show people and are described in words only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training import duplicates, plots
from training.data import NO_LABEL, is_face, majority, plurality
from training.labels import FER2013, FERPLUS
from training.metrics import Labels, confusion
from training.protocols import ferplus7
from training.source import Split
from training.tables import percent, table

_PAGE = """# The data

Made by `python -m training prepare --report docs/training`. FER-2013 is 48 × 48 grey pictures of faces that an image
search found for words of emotion, cropped by a face detector of 2013. FER+ asked ten taggers about each of them. The
splits are the official ones: `valid` is PublicTest, `test` is PrivateTest.

## Counts

{counts}

The FER+ label is the top vote, where that is an emotion (the *plurality* protocol). Happy and neutral are two thirds of
it; disgust, contempt and fear are rare, so a figure over labels (macro recall) moves by points with a few faces.

![Top votes of the training split](plots/labels.svg)

## Votes and disagreement

{disagreement}

A *majority* label is one that more than half of the votes are for after single votes are dropped. {no_majority} of the
training faces have none.

![Share of the votes that the top label has](plots/agreement.svg)

## The original labels against the votes

The same pictures have two labels: the one of 2013, which one person gave or left as the search word, and the one of
FER+. They are the same for {same} of the training faces that have both. A row is an original label, a column the top
vote, in percent of the row:

![Original labels against FER+](plots/labels-2013.svg)

## Duplicates

{twice}

Near duplicates are found by the cosine of thumbnails of 16 × 16 pixels without their mean, the mirror image tried too;
above {near} all pairs looked at showed the same picture with another crop, contrast or watermark. Training leaves
out every picture that stands in the other splits, exactly or nearly, and every picture that at least five taggers
called *not a face*.

{prepared}

## What the pictures show

Of 96 random ones that were looked at, most show people who face the camera and act an emotion, as in stock and
press photos. Adults are the most; children and babies are not rare, old people are. Faces fill the frame from the brow
to the chin. Some heads are turned to profile or tilted, some faces lie half in shadow or behind hair; hands on cheeks,
brows and mouths, glasses, hoods and the watermarks of stock agencies cover parts of others. A few are drawings, masks
or painted faces. The data has no labels of age, gender or skin colour, so that nobody can say from it whom a model
fails more.

The photos of `wild-train`, where they are there, are of other people and of other kinds: portraits and film stills in
colour and grey, mostly neutral and happy, labelled by students. They are cropped as the service crops.
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
        twice=_twice(splits),
        near=duplicates.NEAR,
        prepared=table(
            ("split", "in the source", "kept"),
            [(name, len(split), prepared[name]) for name, split in splits.items()]
            + [("photos (wild-train) with a face", "–", photos)],
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.md").write_text(page)


def _counts(splits: dict[str, Split], labels: dict[str, Labels]) -> str:
    rows: list[tuple[object, ...]] = [
        (label, *(int((labels[name] == index).sum()) for name in splits)) for index, label in enumerate(FERPLUS)
    ]
    rows.append(("no emotion on top", *(int((labels[name] == NO_LABEL).sum()) for name in splits)))
    rows.append(("called *not a face* by five or more", *(int((~is_face(s.votes)).sum()) for s in splits.values())))
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
    return table(("top vote", "its share of the votes", "has a majority", "most votes besides"), rows)


def _twice(splits: dict[str, Split]) -> str:
    train = splits["train"].images
    rows: list[tuple[object, ...]] = []
    for name in ("valid", "test"):
        held = splits[name].images
        same = duplicates.exact(train, held)
        near = (duplicates.likeness(train, held) > duplicates.NEAR) & ~same
        back = duplicates.exact(held, train)
        rows.append((name, int(same.sum()), int(near.sum()), int(back.sum())))
    every = np.concatenate([split.images for split in splits.values()])
    head = ("split", "training pictures that stand in it", "more that nearly do", "its pictures that stand in training")
    return (
        f"{duplicates.groups(every)} pictures occur more than once, to the byte, in the three splits together.\n\n"
        + table(head, rows)
    )
