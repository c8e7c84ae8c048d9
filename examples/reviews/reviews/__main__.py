"""`python -m reviews`: loads everything, then serves."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError

from reviews.config import Settings
from reviews.engine import load
from reviews.errors import SetupError
from reviews.main import create_app


def main() -> None:
    """Serves until it is stopped. What keeps it from starting is one sentence."""
    try:
        settings = Settings()
        engine = load(settings, lambda sentence: print(sentence, file=sys.stderr, flush=True))
    except ValidationError as error:
        first = error.errors()[0]
        sys.exit(f"{'.'.join(map(str, first['loc'])).upper()}: {first['msg']}.")
    except SetupError as error:
        sys.exit(str(error))
    print(f"Reviews are on http://{settings.host}:{settings.reviews_port}/.", file=sys.stderr, flush=True)
    app = create_app(settings, engine)
    uvicorn.run(app, host=settings.host, port=settings.reviews_port, log_level="warning")


if __name__ == "__main__":
    main()
