"""`python -m reviews.generator`: 700 synthetic reviews, 100 an emotion, always the same ones for the same seed.

No customer wrote them. Each is a situation with a product and a sentence on how it was taken, joined in either order.
"""

from __future__ import annotations

import json
import random
import sys

from reviews.reviews import Review

SEED = 20261126
EACH = 100
PRODUCTS = (
    "kettle", "backpack", "desk lamp", "pair of headphones", "blender", "office chair", "phone case", "tent",
    "bread knife", "pair of running shoes", "coffee grinder", "bathroom scale", "travel pillow", "keyboard",
)  # fmt: skip
STARS = {"angry": (1, 2), "disgust": (1, 2), "fear": (1, 3), "happy": (4, 5), "sad": (1, 3), "surprise": (3, 5)}
TAKEN = {
    "angry": (
        "I am furious, and I want my money back.",
        "This makes my blood boil.",
        "I have rarely been so angry about a purchase.",
        "What an outrage to treat people like this.",
        "I am livid with this company.",
        "Nothing but lies, and I am fed up with it.",
        "I was shouting at the phone by the end, I had lost all patience.",
        "It infuriates me that nobody takes responsibility.",
    ),
    "disgust": (
        "It was revolting, I had to wash my hands.",
        "Disgusting, I could not bring myself to touch it.",
        "The stench made me gag.",
        "It turned my stomach.",
        "Utterly gross and filthy.",
        "I felt sick just from looking at it.",
        "Vile, it went straight into the bin.",
        "I find that repulsive and unhygienic.",
        "I felt nauseous and nearly vomited.",
    ),
    "fear": (
        "I was terrified that it would catch fire.",
        "It scared me so much that I pulled the plug.",
        "I am afraid to use it again.",
        "I am frightened that my children could get hurt.",
        "My heart was racing with fear.",
        "I no longer dare to leave it alone in the room.",
        "I panicked, because it felt really dangerous.",
        "I worry every time that it will injure me.",
        "I felt that my life was in danger.",
    ),
    "happy": (
        "I am so happy with it.",
        "It makes me smile every morning.",
        "I love it, it is a joy to use.",
        "Absolutely delighted, I would buy it again at once.",
        "The whole family is thrilled.",
        "It brightens my day, wonderful.",
        "I could not be more pleased.",
        "A real pleasure, I am grinning as I write this.",
    ),
    "sad": (
        "It made me so sad that I cried.",
        "I am heartbroken.",
        "I was in tears when I opened the box.",
        "It left me feeling down for days.",
        "Such sorrow over something that meant so much to me.",
        "I miss my old one and feel quite lost.",
        "It is a sad end to a lovely memory.",
        "I am so unhappy and disheartened about it.",
        "I could not stop crying.",
    ),
    "surprise": (
        "I was astonished, I never saw that coming.",
        "What a surprise, I could not believe my eyes.",
        "My jaw dropped.",
        "Wow, that was completely unexpected.",
        "I am amazed, this is nothing like what I expected.",
        "I was stunned and speechless for a moment.",
        "Out of nowhere, and it took me totally by surprise.",
        "I gasped when I saw it.",
        "It surprised me, far better than I would have expected.",
        "Incredible, a pleasant shock.",
        "I did not expect this at all.",
    ),
    "neutral": (
        "It is neither good nor bad, I am neutral about it.",
        "It is okay, so to say: nothing special, nothing wrong.",
        "An average product, no strong opinion either way.",
        "No reason for praise and no reason for complaint.",
        "I am indifferent to it, it does not matter much to me.",
        "A plain, ordinary item for an ordinary price.",
        "Neutral from me: it is acceptable.",
        "Not great, not terrible, somewhere in the middle.",
        "Mediocre, it will do for its purpose.",
        "My opinion stays neutral, so a medium mark.",
    ),
}
SITUATIONS = {
    "angry": (
        "The {product} broke on the second day, and the hotline hung up on me twice.",
        "They charged me double for the {product} and refuse to refund it.",
        "After six emails about the {product} I still get the same rude copied answer.",
        "The seller blames me for a {product} that arrived smashed.",
        "They cancelled my order of the {product} and kept the payment.",
        "The guarantee for the {product} turned out to be worthless.",
    ),
    "disgust": (
        "The {product} came covered in somebody else's hair and grease.",
        "There was mould all over the inside of the {product}.",
        "The {product} smelled of rotten fish as soon as I opened the bag.",
        "I found a dead cockroach inside the box of the {product}.",
        "A sticky brown slime dripped from the {product}.",
        "The {product} had obviously been used, with stains and crumbs in every corner.",
    ),
    "fear": (
        "Sparks flew from the {product} when I first tried it.",
        "The {product} suddenly gave way while I was using it at night, alone.",
        "Smoke came out of the {product} while the children slept next door.",
        "The {product} gave me an electric shock.",
        "A sharp splinter shot off the {product} and just missed my eye.",
        "The {product} began to hiss and shake without warning.",
    ),
    "happy": (
        "The {product} works perfectly and looks beautiful.",
        "My daughter gave me the {product} for my birthday.",
        "I use the {product} every day and it never lets me down.",
        "The {product} arrived early with a kind handwritten note.",
        "Finally a {product} that does everything right: excellent, full marks.",
        "The {product} was the best gift of the year.",
    ),
    "sad": (
        "The {product} was a last present from my late mother, and it broke.",
        "I bought the {product} for a friend who passed away before it came.",
        "They no longer make the {product} that my father and I used together.",
        "The {product} came too late for my son's farewell.",
        "The engraved name on the {product} was gone after one wash.",
        "The {product} I had saved a year for lies here in pieces.",
    ),
    "surprise": (
        "I expected little of such a cheap {product}, and nobody could have guessed how good it is.",
        "Beside the {product} lay a free extra gift that was never on my order.",
        "The {product} arrived three hours after I ordered it, quicker than anyone expects.",
        "The {product} turned out to be twice as big as in the pictures.",
        "I expected an ordinary {product}, but it began to play music.",
        "The {product} has a hidden function that no manual mentions.",
    ),
    "neutral": (
        "As far as a {product} goes, this one is about average.",
        "I would neither recommend the {product} nor advise against it.",
        "The {product} is a run-of-the-mill model like many others, passable.",
        "Some things about the {product} are good and some are not, so a medium mark.",
        "The {product} fulfils its function, without convincing me and without letting me down.",
        "I do not think much about the {product}: it is there, it serves, that is all.",
    ),
}


def generate(seed: int = SEED) -> list[Review]:
    """The reviews, no two alike, in mixed order."""
    dice = random.Random(seed)  # noqa: S311
    texts: dict[str, str] = {}
    for emotion, sentences in TAKEN.items():
        wanted = len(texts) + EACH
        while len(texts) < wanted:
            parts = [dice.choice(SITUATIONS[emotion]).format(product=dice.choice(PRODUCTS)), dice.choice(sentences)]
            dice.shuffle(parts)
            texts.setdefault(" ".join(parts), emotion)
    mixed = list(texts.items())
    dice.shuffle(mixed)
    return [
        Review(
            id=f"synthetic-{number:03}",
            text=text,
            emotion=emotion,
            stars=dice.randint(*STARS.get(emotion, (3, 3))),
            synthetic=True,
        )
        for number, (text, emotion) in enumerate(mixed, 1)
    ]


def main() -> None:
    """Prints one JSON object a line."""
    for review in generate():
        sys.stdout.write(json.dumps(review.as_dict()) + "\n")


if __name__ == "__main__":
    main()
