"""One run in its folder: settings, data, training, checkpoints, evaluation, pictures."""
