"""Everything with files, time and progress bars: settings, data sets, training, runs in their folders, evaluation."""
