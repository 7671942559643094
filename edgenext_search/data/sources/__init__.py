"""Where images come from: class folders, tar shards, timm datasets, the built-in set."""
