"""Discrete-event simulation of government service halls."""
