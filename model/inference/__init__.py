"""From a prepared image to an answer: classes, trust, heat map, wording. Needs no Keras."""
