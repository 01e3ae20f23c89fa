"""Published weights and configs, as towers."""
