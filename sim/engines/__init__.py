"""Engines: each turns a plan and a workload into an event log, and neither imports the other."""
