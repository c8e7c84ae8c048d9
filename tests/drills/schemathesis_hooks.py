"""What schemathesis sends where the API document says that a picture is taken."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

from tests.hostile import hostile_files
from tests.pictures import faceless, portrait

PICTURES = [portrait(256), portrait(512), faceless(256), *(file.data for file in hostile_files())]

schemathesis.openapi.format("binary", st.one_of(st.sampled_from(PICTURES), st.binary(max_size=1000)))
