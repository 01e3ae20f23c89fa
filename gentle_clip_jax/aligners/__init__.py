"""From a few pairs and many unmatched items to maps into one space."""
