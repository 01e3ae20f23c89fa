"""Builders of data sets in TensorFlow Datasets' array_record format, without TensorFlow."""
