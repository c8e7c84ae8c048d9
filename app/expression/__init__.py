"""From numbers to meaning: action units, head pose, the emotion vector and the description. Pure functions."""
