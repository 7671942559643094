"""One training loop. Proxy and full training differ in recipe and loader only."""
