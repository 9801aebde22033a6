"""Teaching classes of a person's own: labels, a head over kept features, how good it is, and the model made of it."""
