"""Loaders of full training and evaluation."""
