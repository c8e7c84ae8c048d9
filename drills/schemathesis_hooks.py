"""The files that schemathesis uploads as pictures."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

from tests.hostile import hostile_files
from tests.pictures import faceless, portrait

HONEST = [portrait(256), portrait(512), faceless(256)]
HOSTILE = [file.data for file in hostile_files()]

schemathesis.openapi.format(
    "binary", st.one_of(st.sampled_from(HONEST), st.sampled_from(HOSTILE), st.binary(max_size=1000))
)
