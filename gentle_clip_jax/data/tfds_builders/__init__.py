"""Data sets from folders to TensorFlow Datasets' array_record, without TensorFlow."""
