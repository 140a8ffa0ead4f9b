"""Variants of a bundle side by side in this process: speed, CPU, memory, and whether they answer as the reference."""
