"""What can be trained: `default` holds every key, the others override a few."""
