"""What clients send, with its bounds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reviews.emotions import query_for
from reviews.errors import EmptyText, InvalidRequest, TextTooLong

MOST_WORDS = 200
MOST_QUERY_CHARACTERS = 2_000
MOST_TEXT_CHARACTERS = 10_000


def _unicode(text: str) -> str:
    """JSON may have half of a surrogate pair, which is no character."""
    text.encode("utf-8")
    return text


Text = Annotated[str, AfterValidator(_unicode)]


class ReviewQuery(BaseModel):
    """Either a text or an emotion."""

    model_config = ConfigDict(extra="forbid")

    query: Text | None = Field(default=None, description=f"What to search for, at most {MOST_WORDS} words.")
    emotion: Text | None = Field(default=None, description="A label of Visage, in place of a query.")
    top: int = Field(default=4, ge=1, le=20, description="How many reviews to find.")
    sentences: int = Field(default=3, ge=1, le=8, description="The length of the summary.")

    def text(self) -> str:
        """What is searched for."""
        if (self.query is None) == (self.emotion is None):
            raise InvalidRequest('Send either "query" or "emotion".')
        if self.emotion is not None:
            return query_for(self.emotion)
        return checked_query(self.query or "")


class Texts(BaseModel):
    """Either one text or several."""

    model_config = ConfigDict(extra="forbid")

    text: Text | None = None
    texts: list[Text] | None = Field(default=None, min_length=1, max_length=50)

    def every(self) -> list[str]:
        """The texts to score."""
        if (self.text is None) == (self.texts is None):
            raise InvalidRequest('Send either "text" or "texts".')
        texts = [self.text] if self.text is not None else self.texts or []
        for number, text in enumerate(texts, 1):
            # A review may be stars or emoji alone.
            if not text.strip():
                raise EmptyText(f"Text {number} is empty.")
            if len(text) > MOST_TEXT_CHARACTERS:
                raise TextTooLong(f"Text {number} has {len(text)} characters; at most {MOST_TEXT_CHARACTERS} are read.")
        return texts


def checked_query(query: str) -> str:
    """The query without outer spaces, within its bounds."""
    if not has_words(query):
        raise EmptyText("The query has no words.")
    words = len(query.split())
    if words > MOST_WORDS:
        raise TextTooLong(f"The query has {words} words; at most {MOST_WORDS} are read.")
    if len(query) > MOST_QUERY_CHARACTERS:
        raise TextTooLong(f"The query has {len(query)} characters; at most {MOST_QUERY_CHARACTERS} are read.")
    return query.strip()


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit of any script."""
    return any(character.isalnum() for character in text)
