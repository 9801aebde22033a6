"""What every room stands on: errors, settings, logs, background work, workers, disk, CPU. No images here."""
