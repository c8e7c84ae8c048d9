"""The notice on use: what the service is for, what it must not be used for, and what the people shown are told."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from typing_extensions import TypedDict

from app.expression.description import Language


class Law(TypedDict):
    """A legal duty of whoever uses the service."""

    name: str
    article: str
    date: Annotated[str, Field(description="The day from which it applies, as YYYY-MM-DD.")]
    says: str


class Notice(TypedDict):
    """What every user of the service has to know, and has to tell."""

    purpose: str
    ruled_out: Annotated[list[str], Field(description="Uses that are ruled out.")]
    laws: list[Law]
    texts: Annotated[dict[Language, str], Field(description="For the people whose faces are read, by language.")]


_AI_ACT: Final = "Regulation (EU) 2024/1689 (AI Act)"

NOTICE: Final[Notice] = {
    "purpose": "Visage reads the apparent expression of a face: what a picture shows, not what somebody feels.",
    "ruled_out": [
        "decisions about a person in hiring, policing, border control, medicine, insurance or schooling",
        "inferring emotions of people at work and in education",
        "telling who a person is, or whether a person lies",
    ],
    "laws": [
        {
            "name": _AI_ACT,
            "article": "Article 5(1)(f)",
            "date": "2025-02-02",
            "says": "In the European Union, inferring emotions of people at work and in education is prohibited, "
            "except for medical or safety reasons.",
        },
        {
            "name": _AI_ACT,
            "article": "Article 50(3)",
            "date": "2026-08-02",
            "says": "People who are exposed to an emotion recognition system must be told that it operates.",
        },
    ],
    "texts": {
        "en": "This picture is read by software that estimates the apparent expression of faces. It says nothing "
        "certain about what anybody feels. No picture is kept.",
        "de": "Dieses Bild wird von einer Software ausgewertet, die den sichtbaren Gesichtsausdruck schätzt. Was "
        "jemand fühlt, lässt sich daraus nicht sicher ablesen. Kein Bild wird gespeichert.",
        "fr": "Cette image est analysée par un logiciel qui estime l’expression apparente des visages. L’analyse ne "
        "dit rien de certain sur ce que ressent une personne. Aucune image n’est conservée.",
        "es": "Esta imagen la analiza un programa que estima la expresión aparente de los rostros. El análisis no dice "
        "nada seguro sobre lo que siente una persona. No se guarda ninguna imagen.",
    },
}

SUMMARY: Final = (
    f"{NOTICE['purpose']} Do not use it to decide about people in hiring, policing, medicine or schooling; at work and "
    "in education the EU AI Act forbids it. Wherever it is used, tell the people whose faces are read. Pictures are "
    "read in memory and never stored."
)
"""The notice in a paragraph, for documentation."""
